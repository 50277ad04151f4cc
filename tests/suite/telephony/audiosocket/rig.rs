//! A daemon with AudioSocket lines, and the PBX that calls.

use std::net::SocketAddr;
use std::ops::Deref;

use harness::audiosocket::Peer;
use harness::daemon::{Daemon, Setup};
use harness::{ports, wait};
use serde_json::Value;
use uuid::Uuid;

use crate::calls::rig::{Call, Office, with_applications};

/// The daemon, its application, and where the PBX connects to.
pub(crate) struct Pbx {
    office: Office,
    pub(crate) address: SocketAddr,
}

impl Deref for Pbx {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

impl Pbx {
    /// With lines of this table; `rest` is more of it.
    pub(crate) fn start(rest: &str) -> Self {
        Self::with(rest, "")
    }

    /// The same, with more tables of the configuration.
    pub(crate) fn with(rest: &str, tables: &str) -> Self {
        let address = ports::free_address();
        let line = format!("audiosocket = \"{address}\"\npre_roll_ms = 0\n{rest}");
        let setup = with_applications(Setup::new()).toml(tables);
        Self::of(setup.line("pbx", &line), address)
    }

    /// With a whole `[[line]]` table that listens at `service`, which another address stands for.
    pub(crate) fn with_line_of(table: &str, service: &str) -> Self {
        let address = ports::free_address();
        let table = table.replace(service, &address.to_string());
        let setup = with_applications(Setup::new()).toml(&format!("[[line]]\n{table}"));
        Self::of(setup, address)
    }

    fn of(setup: Setup, address: SocketAddr) -> Self {
        let office = Office::start(setup);
        office.wait_for_lines();
        Self { office, address }
    }

    /// The daemon, to be treated badly.
    pub(crate) fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.office.daemon
    }

    /// Connects in the name of a call, at 8 kHz.
    pub(crate) fn connect(&self, uuid: Uuid) -> Peer {
        Peer::call(self.address, uuid.into_bytes(), 8_000)
    }

    /// Hands a call over and waits until the application has heard of it.
    pub(crate) fn call_named(&self, uuid: Uuid) -> (Call<'_>, Peer) {
        let peer = self.connect(uuid);
        (self.call_of(uuid), peer)
    }

    /// The call of a peer that has connected.
    pub(crate) fn call_of(&self, uuid: Uuid) -> Call<'_> {
        let call = Call::of(&self.office, uuid.to_string());
        let _ = call.wait("call.answered");
        call
    }

    /// Hands a call over that has a name of its own.
    pub(crate) fn call(&self) -> (Call<'_>, Peer) {
        self.call_named(Uuid::new_v4())
    }

    /// What `callreel lines` says of the line of this place.
    pub(crate) fn line(&self, at: usize) -> Value {
        self.daemon.json(&["lines"])["items"][at].clone()
    }

    /// What it says of the listener.
    pub(crate) fn listener(&self) -> Value {
        self.daemon.json(&["lines"])["listeners"][0].clone()
    }

    /// Waits until the listener has counted so many of a kind.
    pub(crate) fn wait_for_counted(&self, kind: &str, count: u64) {
        wait::until(kind, || {
            (self.listener()[kind] == count).then_some(())
        });
    }
}
