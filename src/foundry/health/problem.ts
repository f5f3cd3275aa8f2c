/** What is wrong, or might be, and what to do. */
export interface HealthProblem {
  readonly what: string;
  readonly fix: string;
}
