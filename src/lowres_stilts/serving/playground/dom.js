// Elements from data. Text is only ever set as text, so nothing that a server or a user wrote is read as HTML.

/** An element with attributes and children; a string child is text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Text of any language: its direction is that of its first strong character. */
export const words = (name, text, attributes = {}) => make(name, { dir: "auto", ...attributes }, text);

const RIGHT_TO_LEFT = /^[^\p{L}]*[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

/** The direction of text that is cut into marks: `dir=auto` looks only at what is outside of them. */
export const direction = (text) => (RIGHT_TO_LEFT.test(text) ? "rtl" : "ltr");

/** A bar of a share from 0 to 1, with its figure beside it. */
export function bar(share, figure, hue) {
  const fill = make("span", { class: hue ? `fill ${hue}` : "fill" });
  fill.style.inlineSize = `${Math.max(0.5, Math.min(1, share) * 100)}%`;
  return make("span", { class: "bar" }, make("span", { class: "track", "aria-hidden": "true" }, fill), make("span", { class: "figure" }, figure));
}

/** 0.934 as 93.4 %. */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;
