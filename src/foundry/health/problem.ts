/**
 * What is wrong, or might be, and what to do. Alone in its file: it is published, and the types that
 * `problems.ts` imports would be published with it.
 */
export interface HealthProblem {
  readonly what: string;
  readonly fix: string;
}
