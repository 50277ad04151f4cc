//! nginx at its best, as a peer: one worker, sendfile, open_file_cache, no access log, connections
//! kept for ever. It listens twice, with `tcp_nopush` on and off, since neither is always better.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::client::Target;
use crate::commands::system_program;
use crate::error::Failure;
use crate::machine::{Running, children_of, cpu_of, now, wait_until};

/// A running nginx.
pub(crate) struct Nginx {
    // Dropped, and so ended, with this value.
    master: Running,
    nopush_on: SocketAddr,
    nopush_off: SocketAddr,
}

impl Nginx {
    /// Serves the files of `root` from a core; its own files go into `dir`.
    pub(crate) fn start(dir: &Path, root: &Path, core: usize) -> Result<Self, Failure> {
        let program = system_program("nginx", "install nginx ('make setup')")?;
        let (nopush_on, nopush_off) = (free_address()?, free_address()?);
        let config = dir.join("nginx.conf");
        let text = configuration(dir, root, nopush_on, nopush_off);
        std::fs::write(&config, text).map_err(Failure::io("writing nginx.conf"))?;
        let mut command = Command::new(program);
        command
            .arg("-p")
            .arg(dir)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null());
        let mut master = Running::start("nginx", &mut command, core)?;
        let patience = now() + Duration::from_secs(5);
        while std::net::TcpStream::connect(nopush_off).is_err() {
            master.check()?;
            if now() > patience {
                let said = "it did not listen within 5 s".to_owned();
                return Err(Failure::Program {
                    what: "nginx".into(),
                    said,
                });
            }
            wait_until(now() + Duration::from_millis(20));
        }
        Ok(Self {
            master,
            nopush_on,
            nopush_off,
        })
    }

    /// The two ways to ask it for a file of its root.
    pub(crate) fn targets(&self, name: &str, len: u64) -> [Target; 2] {
        [(self.nopush_off, "off"), (self.nopush_on, "on")].map(|(address, nopush)| Target {
            server: format!("nginx, tcp_nopush {nopush}"),
            address,
            path: format!("/{name}"),
            headers: String::new(),
            len,
        })
    }

    /// CPU time of master and worker.
    pub(crate) fn cpu(&self) -> Duration {
        let workers: Duration = children_of(self.master.id()).into_iter().map(cpu_of).sum();
        cpu_of(self.master.id()) + workers
    }
}

fn configuration(dir: &Path, root: &Path, on: SocketAddr, off: SocketAddr) -> String {
    let (dir, root) = (dir.display(), root.display());
    // As root, nginx would make its worker "nobody", who may not read the recordings.
    let user = if nix::unistd::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        r#"{user}
daemon off;
worker_processes 1;
pid "{dir}/nginx.pid";
error_log "{dir}/nginx-error.log" warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    open_file_cache max=100 inactive=1h;
    open_file_cache_valid 1h;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    default_type audio/wav;
    client_body_temp_path "{dir}/body";
    proxy_temp_path "{dir}/proxy";
    fastcgi_temp_path "{dir}/fastcgi";
    uwsgi_temp_path "{dir}/uwsgi";
    scgi_temp_path "{dir}/scgi";
    server {{ listen {on}; root "{root}"; tcp_nopush on; }}
    server {{ listen {off}; root "{root}"; tcp_nopush off; }}
}}
"#
    )
}

/// A loopback address that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    listener
        .and_then(|listener| listener.local_addr())
        .map_err(Failure::io("a free port"))
}
