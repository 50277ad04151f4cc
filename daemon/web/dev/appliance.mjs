// Who and what the made-up appliance has: users, keys, tenants, lines.

import { random } from "./data.mjs";

export const users = ["admin", "supervisor", "auditor", "dagmar"].map((name, index) => ({
  user_id: String(index + 1),
  name,
  tenant: "main",
  role: ["admin", "supervisor", "auditor", "agent-view"][index],
  allow: index === 2 ? ["192.168.1.0/24"] : [],
  created_at: "2026-03-01T08:00:00Z",
  disabled_at: null,
  groups: index === 1 ? ["support"] : [],
  line: index === 3 ? "line-4" : null,
}));
export const keys = [
  ["k7d20a91", "task_audio", "CRM", null],
  ["k11f0c2e", "call_recording", "Archive of the old system", "2026-09-14T10:00:00Z"],
].map(([key_id, family, label, revoked_at]) => ({
  key_id,
  family,
  label,
  revoked_at,
  tenant: "main",
  created_at: "2026-03-01T08:00:00Z",
  expires_at: null,
  allow: [],
  user: null,
}));
export const tenants = [
  {
    id: 1,
    name: "main",
    created_at: "2026-01-07T09:00:00Z",
    recordings: 20_000,
    keep_as: "wav",
    disabled_at: null,
  },
  {
    id: 2,
    name: "north",
    created_at: "2026-05-20T09:00:00Z",
    recordings: 812,
    keep_as: "flac",
    disabled_at: null,
  },
];
export const beat = random(3);
export const lines = Array.from({ length: 24 }, (_, index) => {
  const state =
    index === 6 ? "fault" : index === 2 ? "ringing" : index % 3 === 0 ? "recording" : "idle";
  const busy = state === "recording" || state === "ringing";
  return {
    name: `line-${index + 1}`,
    state,
    from: busy ? `0${String(Math.floor(beat() * 9e9 + 1e9)).slice(0, 9)}` : null,
    to: busy ? "0800 100" : null,
    recording_id: state === "recording" ? "99999" : null,
    started_at: busy ? Date.now() - Math.floor(beat() * 400_000) : null,
    duration_ms: null,
    levels: [],
    agent: busy && index % 2 ? "chidi" : null,
    fault: state === "fault" ? "unplugged: hw:2,0" : null,
  };
});

export const HEALTH = {
  version: "0.9.0",
  uptime_ms: 812_345_678,
  ready: true,
  store: { recordings: 1_204_112, bytes: 812e9, free_bytes: 311e9, level: "normal" },
  ledger: {
    entries: 3_402_551,
    checkpoint_at: Date.now() - 240_000,
    key_id: "5d0c81fe",
    broken: false,
  },
  clock: { standing: "trusted", synchronised: true },
  lines: { total: 24, recording: 8, fault: 1 },
  alarms: [
    { at: Date.now() - 3_600_000, level: "warning", text: "Line line-7 is unplugged: hw:2,0" },
  ],
  retention: { last_pass_at: Date.now() - 400_000, deleted: 55_120 },
};
