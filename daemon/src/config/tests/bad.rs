//! Configuration files that must be refused, for the tests beside.

/// Bad files, and what their refusal must hold.
pub(super) const BAD_FILES: &[(&str, &[&str])] = &[
    (
        "[storage]\ndata_dri = '/x'\n",
        &[":2: storage.data_dri", "did you mean 'data_dir'"],
    ),
    ("\n\n[strage]\n", &[":3: strage", "did you mean 'storage'"]),
    (
        "[http]\nlisten = 'x'\n",
        &[":2: http.listen", "is text; it must be a list"],
    ),
    (
        "[http]\nlisten = [\n '127.0.0.1:1',\n 'x',\n]\n",
        &[":4: http.listen", "\"x\""],
    ),
    (
        "[http]\nworkers = -1\n",
        &[":2: http.workers", "-1", "0 to 256"],
    ),
    (
        "[http]\nworkers = '2'\n",
        &[":2: http.workers", "is text", "whole number"],
    ),
    (
        "[http]\nlisten_tls = ['0.0.0.0:1']\n",
        &[":2: http.listen_tls", "[http.tls]"],
    ),
    (
        "[http.tls]\nkey = '/nope'\n",
        &["http.tls.certificate", "is missing"],
    ),
    (
        "[http.tls]\nkey = '/nope'\ncertificate='/nope'",
        &[":2: http.tls.key", ":3: http.tls.cert", "no file '/nope'"],
    ),
    (
        "[http]\nallowed_origins = ['a/b']\n",
        &[":2: http.allowed_origins", "https://"],
    ),
    (
        "[http]\nallowed_origins = ['*', 'http://a']\n",
        &[":2: http.allowed_origins", "*"],
    ),
    (
        "[http]\nlisten = ['[::1]:80', '[::1]:80']\n",
        &[":2: http.listen", "twice"],
    ),
    (
        "[realtime]\npriority = 100\n",
        &[":2: realtime.priority", "0 to 99"],
    ),
    (
        "[realtime]\nring_ms = 499\n",
        &[":2: realtime.ring_ms", "500 to 10000"],
    ),
    (
        "[realtime]\nring_ms = 10001\n",
        &[":2: realtime.ring_ms", "500 to 10000"],
    ),
    (
        "[storage]\nindex_cache_mib = 7\n",
        &[":2: storage.index_cache_mib", "8 to 4096"],
    ),
    ("[storage]\nio = 'aio'\n", &[":2: storage.io", "\"uring\""]),
    ("[log]\nlevel = 'loud'\n", &[":2: log.level", "\"debug\""]),
    ("[http]\npage = 1\n", &[":2: http.page", "true or false"]),
    ("[line]\nname = 'a'\n", &[":1: line", "[[line]]"]),
    (
        "[[line]]\nname = 'a b'\n",
        &[":2: line.name", ":1: line.tenant", "line.trigger"],
    ),
    ("[storage\n", &[":1: is not valid TOML"]),
    (
        "[http]\nworkers = 1\nworkers = 2\n",
        &[":3: is not valid TOML"],
    ),
    ("storage = 3\n", &[":1: storage", "must be a table"]),
    (
        "[storage]\ndata_dir = ''\n",
        &[":2: storage.data_dir", "path"],
    ),
    (
        "[http]\npublic_url = 'https://a.example/x'\n",
        &[":2: http.public_url", "without a path"],
    ),
    (
        "[http]\npublic_url = '*'\n",
        &[":2: http.public_url", "\"*\""],
    ),
    (
        "[access]\nsession_idle_s = 59\n",
        &[":2: access.session_idle_s", "60 to 86400"],
    ),
    (
        "[access]\nsession_absolute_s = 299\n",
        &[":2: access.session_absolute_s", "300 to 2592000"],
    ),
    (
        "[access]\nsession_idle_s = 601\nsession_absolute_s = 600\n",
        &[":2: access.session_idle_s", "session_absolute_s = 600"],
    ),
    (
        "[access]\nsession_absolute_s = 600\n",
        &[":2: access.session_idle_s: 1800 is above"],
    ),
    (
        "[access]\nrequests_per_address = -1\n",
        &[":2: access.requests_per_address", "0 to 1000000"],
    ),
    (
        "[convert]\ncache_mib = 15\n",
        &[":2: convert.cache_mib", "16 to 1048576"],
    ),
    (
        "[fetch]\nallow = [\n '10.0.0.0/8',\n '10.0.0.1',\n]\n",
        &[":4: fetch.allow", "\"10.0.0.1\"", "10.1.0.0/16"],
    ),
    (
        "[fetch]\nallow = ['169.254.169.254/32', '10.0.0.0/8']\n",
        &[":2: fetch.allow", "169.254.169.254/32", "never"],
    ),
    (
        "[speech]\ncommand = []\n",
        &[":2: speech.command", "speech.url"],
    ),
    (
        "[speech]\nurl = 'ftp://x'\n",
        &[":2: speech.url", "http or https"],
    ),
    ("[speech]\nvoice = '-x'\n", &[":2: speech.voice", "'-'"]),
    (
        "[speech]\ntimeout_s = 301\n",
        &[":2: speech.timeout_s", "1 to 300"],
    ),
    (
        "[audiosocket]\nallow = ['10.0.0.1']\n",
        &[":2: audiosocket.allow", "\"10.0.0.1\""],
    ),
    (
        "[dahdi]\nfolder = ''\n",
        &[":2: dahdi.folder", "a path in quotes"],
    ),
    (
        "[dahdi]\nfolders = '/dev/dahdi'\n",
        &[":2: dahdi.folders", "did you mean 'folder'"],
    ),
    (
        "[http]\nworkers = 99999999999999999999\n",
        &[":2: http.workers", "0 to 256"],
    ),
];
