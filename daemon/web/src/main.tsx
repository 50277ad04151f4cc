// The page begins here.

import "./styles/base.css";
import "./styles/frame.css";
import "./styles/calls.css";
import "./styles/player.css";
import "./styles/views.css";

import { render } from "preact";
import { App } from "./app";
import { t } from "./texts";

const root = document.getElementById("app");
if (root) render(<App />, root);

// A part of an older page that the daemon, updated meanwhile, has no more.
addEventListener("vite:preloadError", (event) => {
  event.preventDefault();
  const note = document.createElement("p");
  note.className = "banner";
  note.setAttribute("role", "alert");
  note.textContent = t.net.updated;
  document.body.prepend(note);
});
