// The page begins here.

import "./styles/base.css";
import "./styles/parts.css";
import "./styles/frame.css";
import "./styles/calls.css";
import "./styles/player.css";
import "./styles/views.css";

import { render } from "preact";
import { App } from "./app";

const root = document.getElementById("app");
if (root) render(<App />, root);
