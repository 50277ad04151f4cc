// What the supervisor API answers. Times are milliseconds since 1970 in UTC (`…_at`), durations
// milliseconds (`…_ms`), as the wire has them.

export type Role = "agent-view" | "supervisor" | "auditor" | "admin";

export interface Can {
  play: boolean;
  download: boolean;
  note: boolean;
  tag: boolean;
  hold: boolean;
  keep: boolean;
  delete: boolean;
  export: boolean;
  listen_live: boolean;
  audit: boolean;
  admin: boolean;
  health: boolean;
  /** Sees and changes all tenants, not only the own one. */
  tenants?: boolean;
  /** Lifts what others held. */
  lift_any?: boolean;
}

export interface SessionUser {
  id: string | number;
  name: string;
  role: Role;
  tenant: string;
  groups: string[];
  line?: string | null;
}

export interface Session {
  user: SessionUser;
  csrf: string;
  expires_in_ms: number;
  can: Can;
}

export interface Level {
  rms_db: number | null;
  peak_db: number | null;
}

export interface Line {
  name: string;
  state: string;
  from?: string | null;
  to?: string | null;
  recording_id?: string | null;
  started_at?: number | null;
  duration_ms?: number | null;
  levels?: Level[] | null;
  agent?: string | null;
  fault?: string | null;
}

export type Direction = "in" | "out";
export type RecordingState = "live" | "sealed" | "damaged" | "deleted";

export interface Row {
  id: string;
  recid: string | number;
  tenant: string;
  line: string | null;
  from: string | null;
  to: string | null;
  direction: Direction | null;
  agent: string | null;
  started_at: number;
  duration_ms: number | null;
  state: RecordingState;
  channels: number;
  rate: number;
  container: string;
  size_bytes: number | null;
  tags: string[];
  held: boolean;
  notes: number;
  time_quality: string | null;
  gaps: number;
  masked: number;
}

export interface Page {
  recordings: Row[];
  next: string | null;
  previous?: string | null;
}

export interface Note {
  id: string;
  at_ms: number | null;
  text: string;
  by: string;
  at: number;
  edited_at?: number | null;
}

export interface Hold {
  id: string;
  reason: string;
  by: string;
  at: number;
}

export interface Gap {
  at_ms: number;
  ms: number;
}

export interface Masked extends Gap {
  kind?: string;
}

export interface Digit {
  at_ms: number;
  digit: string | null;
}

export interface Chain {
  seq: number;
  head: string;
  checkpoint_seq: number | null;
  checkpoint_at: number | null;
  key_id: string | null;
}

export interface Detail extends Omit<Row, "notes"> {
  legs: { name: string; rms_db: number | null; peak_db: number | null }[];
  gap_list: Gap[];
  masked_list: Masked[];
  digits: Digit[];
  hash: { blake3: string; sha256?: string } | null;
  holds: Hold[];
  keep_until: number | null;
  kept_because: string | null;
  deletable_at: number | null;
  notes: Note[];
  time: Record<string, unknown> | null;
  chain: Chain | null;
}

export interface Filters {
  from?: number;
  to?: number;
  number?: string;
  line?: string;
  agent?: string;
  direction?: Direction;
  min_ms?: number;
  max_ms?: number;
  tag?: string;
  q?: string;
  state?: string;
  held?: boolean;
  order?: "asc" | "desc";
}

export interface ExportJob {
  id: string;
  /** `done` and `total` are bytes of sound, `bytes` those of the archive. */
  state: "running" | "done" | "failed" | "cancelled";
  done: number;
  total: number;
  bytes: number | null;
  message: string | null;
  made_at?: number;
}

export interface AuditEntry {
  seq: number;
  at: number;
  kind: string;
  who: { kind: string; id: string | null; name: string | null } | null;
  from: string | null;
  recording: string | null;
  tenant: string | null;
  details: Record<string, unknown> | null;
  hash: string;
}

export interface Health {
  version: string;
  uptime_ms: number;
  ready: boolean;
  store: { recordings: number; bytes: number; free_bytes: number; level: string };
  ledger: {
    entries: number;
    checkpoint_at: number | null;
    key_id: string | null;
    broken: unknown;
  };
  clock: { standing: string; synchronised: boolean };
  lines: { total: number; recording: number; fault: number };
  alarms: { at: number | null; level: string; text: string }[];
  retention: { last_pass_at: number | null; deleted: number };
}

export interface AdminUser {
  user_id: string;
  name: string;
  tenant: string;
  role: Role;
  allow: string[];
  created_at: string;
  disabled_at: string | null;
  groups?: string[];
  line?: string | null;
}

export interface AdminKey {
  key_id: string;
  tenant: string;
  family: string;
  label: string;
  created_at: string;
  revoked_at: string | null;
  expires_at: string | null;
  allow: string[];
  user: string | null;
}

export interface AdminTenant {
  id: number;
  name: string;
  created_at: string;
  recordings: number;
  keep_as: string;
  disabled_at: string | null;
}
