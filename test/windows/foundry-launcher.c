/*
 * foundry.exe: runs the foundry.mjs beside it, with the Node whose path stands in the foundry.node
 * beside it (UTF-8). The arguments are passed on as they were written.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

static wchar_t self[32768], beside[32768], node[32768], line[65536];
static char utf8[32768];

int wmain(void) {
  GetModuleFileNameW(NULL, self, 32768);
  *wcsrchr(self, L'.') = 0;
  swprintf(beside, 32768, L"%ls.node", self);
  HANDLE file = CreateFileW(beside, GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
  DWORD read = 0;
  if (file == INVALID_HANDLE_VALUE || !ReadFile(file, utf8, sizeof utf8 - 1, &read, NULL)) {
    fprintf(stderr, "foundry: there is no foundry.node\n");
    return 90;
  }
  MultiByteToWideChar(CP_UTF8, 0, utf8, -1, node, 32768);

  const wchar_t *arguments = GetCommandLineW();
  for (int quoted = 0; *arguments && (quoted || *arguments != L' '); arguments += 1) {
    if (*arguments == L'"') quoted = !quoted;
  }
  swprintf(line, 65536, L"\"%ls\" \"%ls.mjs\"%ls", node, self, arguments);

  STARTUPINFOW start = {sizeof start};
  start.dwFlags = STARTF_USESTDHANDLES;
  start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  PROCESS_INFORMATION process;
  if (!CreateProcessW(node, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process)) {
    fprintf(stderr, "foundry: %lu\n", GetLastError());
    return 91;
  }
  WaitForSingleObject(process.hProcess, INFINITE);
  DWORD code = 0;
  GetExitCodeProcess(process.hProcess, &code);
  return (int)code;
}
