// The part of the catalogue that names what comes by name from the server.

import type { Role } from "./types";

export const roles: Record<Role, string> = {
  "agent-view": "Agent",
  supervisor: "Supervisor",
  auditor: "Auditor",
  admin: "Administrator",
};

export const rolesText: Record<Role, string> = {
  "agent-view": "Finds and hears own calls only: those of the user's name or line.",
  supervisor: "Finds, hears, marks and exports the calls of the user's groups.",
  auditor: "Reads everything of the tenant, and the audit trail. Changes nothing.",
  admin: "Everything of the tenant, users and keys included.",
};

export const states: Record<string, string> = {
  live: "Live",
  sealed: "Finished",
  damaged: "Damaged",
  deleted: "Deleted",
};

export const lineStates: Record<string, string> = {
  idle: "Idle",
  ringing: "Ringing",
  dialling: "Dialling",
  talking: "In a call",
  recording: "Recording",
  held: "On hold",
  fault: "Fault",
};

export const auditKinds: Record<string, string> = {
  genesis: "Ledger begun",
  sealed: "Recording finished",
  imported: "Recording imported",
  exchanged: "Stored format changed",
  deleted: "Recording deleted",
  undone: "Change taken back",
  hold_set: "Hold set",
  hold_lifted: "Hold lifted",
  kept_until: "Kept longer",
  tagged: "Tags changed",
  noted: "Note written",
  note_edited: "Note edited",
  note_deleted: "Note deleted",
  policy: "Retention changed",
  play: "Played",
  download: "Downloaded",
  export: "Exported",
  listen: "Listened live",
  link_made: "Link made",
  login: "Signed in",
  login_failed: "Sign-in refused",
  logout: "Signed out",
  key_issued: "Key issued",
  key_revoked: "Key revoked",
  user_added: "User added",
  user_changed: "User changed",
  user_removed: "User removed",
  tenant_added: "Tenant added",
  tenant_changed: "Tenant changed",
  config_changed: "Configuration changed",
  clock_step: "Clock set",
  signing_key: "Signing key",
  started: "Service started",
  stopped: "Service stopped",
};

export const storeLevels: Record<string, string> = {
  ok: "Enough",
  normal: "Enough",
  low: "Low",
  critical: "Critical",
  full: "Full",
};

export const clockStandings: Record<string, string> = {
  trusted: "Trusted",
  ahead: "Stepped ahead: nothing is deleted by it until confirmed",
  behind: "Behind: nothing becomes young by it",
  unknown: "Unknown",
};
