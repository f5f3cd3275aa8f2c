/* A program that must never be run: it leaves a note beside itself, with its own name. */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

int wmain(void) {
  wchar_t note[32768];
  GetModuleFileNameW(NULL, note, 32768 - 16);
  wcscat(note, L".was-run");
  FILE *file = _wfopen(note, L"w");
  if (file != NULL) fclose(file);
  return 1;
}
