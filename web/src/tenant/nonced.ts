/**
 * Runs what makes style elements, as the terminal does: they carry the nonce that the page's
 * policy asks for. The terminal takes some documents as an option, but not for all elements.
 */
export function nonced(run: () => void): void {
  const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- an overload that is not meant
  const make: typeof document.createElement = document.createElement.bind(document);
  const withNonce = (name: string, options?: ElementCreationOptions) => {
    const element = make(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
  Object.defineProperty(document, "createElement", { configurable: true, value: withNonce });
  try {
    run();
  } finally {
    Reflect.deleteProperty(document, "createElement"); // the prototype's is seen again
  }
}
