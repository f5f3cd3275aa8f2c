import type { Plan } from "./plan.js";

/** Asks a person; `null` after Ctrl+C or Ctrl+D. */
export type Confirm = (message: string) => Promise<boolean | null>;

/** What a person at the terminal is asked. */
export interface Questions {
  /** Which of the changes to make; `null` after Ctrl+C. */
  choose(plans: readonly Plan[]): Promise<readonly Plan[] | null>;
  readonly confirm: Confirm;
}

/** The library is loaded only where a person is asked. */
export async function terminalQuestions(): Promise<Questions> {
  const { confirm, isCancel, multiselect, updateSettings } = await import("@clack/prompts");
  // Ctrl+D closes the input, and the answer would never come.
  updateSettings({ aliases: { "\u0004": "cancel" } });
  return {
    async choose(plans) {
      const answer = await multiselect({
        message: "Write these? (space selects, enter confirms)",
        options: plans.map((plan) => ({ value: plan, label: plan.host.title })),
        initialValues: [...plans],
        required: false,
      });
      return isCancel(answer) ? null : answer;
    },
    async confirm(message) {
      const answer = await confirm({ message });
      return isCancel(answer) ? null : answer;
    },
  };
}
