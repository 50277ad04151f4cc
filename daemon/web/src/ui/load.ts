// Asks the server for what a view shows, again when what it depends on changes.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ask, backoff, isAbort, Unreachable } from "../api";

export interface Loaded<T> {
  value: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
  change: (value: T) => void;
}

/** Loads `path` (null: nothing). Without a network it goes on trying. */
export function useLoad<T>(path: string | null): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [loading, setLoading] = useState(path !== null);
  const [turn, setTurn] = useState(0);
  const tries = useRef(0);
  const shown = useRef(path);
  useEffect(() => {
    if (path === null) return;
    const stop = new AbortController();
    let timer = 0;
    if (shown.current !== path) setValue(null);
    shown.current = path;
    setLoading(true);
    ask<T>(path, { signal: stop.signal }).then(
      (found) => {
        tries.current = 0;
        setValue(found);
        setError(null);
        setLoading(false);
      },
      (failed: unknown) => {
        if (isAbort(failed) || stop.signal.aborted) return;
        setError(failed);
        setLoading(false);
        if (failed instanceof Unreachable) {
          timer = window.setTimeout(() => setTurn((turns) => turns + 1), backoff(tries.current++));
        }
      },
    );
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [path, turn]);
  const reload = useCallback(() => setTurn((turns) => turns + 1), []);
  return { value, error, loading, reload, change: setValue };
}
