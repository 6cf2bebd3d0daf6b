/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** What the page's parts are made with. The only importer of Preact. */
import { h, type JSX, render } from "preact";

export { h, render };
export { useEffect, useRef, useState } from "preact/hooks";

/** A piece of the page. */
export type PagePart = JSX.Element;
