export interface NewPassword {
  password: string;
  again: string;
}

export const SHORTEST = 10;

/** The server's rule, so that a slip is told before it is sent. */
export const newPasswordRules = {
  password: (value: string) => (value.length < SHORTEST ? `At least ${SHORTEST} characters.` : null),
  again: (value: string, values: NewPassword) =>
    value === values.password ? null : "The two are not the same.",
};
