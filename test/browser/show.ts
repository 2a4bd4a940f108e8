// Shows a line on the page.

/** What is used of the page here; the rest of the project has no page. */
declare const document: {
  readonly body: { append(element: object): void };
  createElement(name: string): object;
};

export function show(text: string): void {
  document.body.append(Object.assign(document.createElement("p"), { textContent: text }));
}
