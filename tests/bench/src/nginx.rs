//! nginx at its best, as a peer: one worker, sendfile, open_file_cache, no access log, connections
//! kept for ever. It listens twice: plain with `tcp_nopush` on and off, TLS with small and large
//! output buffers, since neither is always better.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::certificate::Certificate;
use crate::client::Target;
use crate::commands::system_program;
use crate::error::Failure;
use crate::machine::{Running, children_of, cpu_of, now, wait_until};
use crate::tls_client::Trust;

/// A running nginx.
pub(crate) struct Nginx {
    // Dropped, and so ended, with this value.
    master: Running,
    listening: [(SocketAddr, &'static str); 2],
    path: String,
    trust: Option<Trust>,
}

impl Nginx {
    /// Serves a file from a core, over TLS where there is a certificate; its own files go into
    /// `dir`.
    pub(crate) fn start(
        dir: &Path,
        file: &Path,
        core: usize,
        certificate: Option<&Certificate>,
    ) -> Result<Self, Failure> {
        let program = system_program("nginx", "install nginx ('make setup')")?;
        let names = match certificate {
            None => ["tcp_nopush off", "tcp_nopush on"],
            Some(_) => ["default buffers", "output_buffers 2 256k"],
        };
        let listening = [(free_address()?, names[0]), (free_address()?, names[1])];
        let config = dir.join("nginx.conf");
        let root = file.parent().unwrap_or(dir);
        let servers = match certificate {
            None => plain_servers(root, listening.map(|(address, _)| address)),
            Some(made) => tls_servers(root, listening.map(|(address, _)| address), made),
        };
        let text = configuration(dir, &servers);
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
        while std::net::TcpStream::connect(listening[0].0).is_err() {
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
            listening,
            path: format!(
                "/{}",
                file.file_name().unwrap_or_default().to_string_lossy()
            ),
            trust: certificate.map(Certificate::trust),
        })
    }

    /// The two ways to ask it for its file.
    pub(crate) fn targets(&self, len: u64) -> [Target; 2] {
        self.listening.map(|(address, how)| Target {
            server: format!("nginx, {how}"),
            address,
            path: self.path.clone(),
            headers: String::new(),
            len,
            trust: self.trust.clone(),
        })
    }

    /// CPU time of master and worker.
    pub(crate) fn cpu(&self) -> Duration {
        let workers: Duration = children_of(self.master.id()).into_iter().map(cpu_of).sum();
        cpu_of(self.master.id()) + workers
    }
}

fn plain_servers(root: &Path, [off, on]: [SocketAddr; 2]) -> String {
    let root = root.display();
    format!(
        r#"
    server {{ listen {off}; root "{root}"; tcp_nopush off; }}
    server {{ listen {on}; root "{root}"; tcp_nopush on; }}"#
    )
}

/// The cipher and the curve are the client's choice; kTLS is used where the kernel has it.
fn tls_servers(root: &Path, [small, large]: [SocketAddr; 2], made: &Certificate) -> String {
    let (root, certificate, key) = (
        root.display(),
        made.certificate.display(),
        made.key.display(),
    );
    format!(
        r#"
    ssl_certificate "{certificate}";
    ssl_certificate_key "{key}";
    ssl_protocols TLSv1.3;
    ssl_conf_command Options KTLS;
    server {{ listen {small} ssl; root "{root}"; }}
    server {{ listen {large} ssl; root "{root}"; output_buffers 2 256k; }}"#
    )
}

fn configuration(dir: &Path, servers: &str) -> String {
    let dir = dir.display();
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
    scgi_temp_path "{dir}/scgi";{servers}
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
