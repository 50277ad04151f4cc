//! TLS for the benchmarks' client. Cipher and curve are pinned to `TLS_AES_128_GCM_SHA256` and
//! X25519, so that every server does the same work. rustls shakes hands and speaks for itself where
//! bytes are compared; under load its keys are taken over, requests are sealed, and of an answer
//! only the records with its head are opened: of the others nothing but the lengths matters, so
//! that the client's core is not what limits a server.
//!
//! What is not here: HTTP (`client`).

use std::net::TcpStream;
use std::sync::Arc;

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, RootCertStore, StreamOwned,
};

use crate::client::Target;
use crate::error::Failure;

/// Whose certificate is believed, and what is spoken with its owner.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Trust {
    /// Believes one certificate, and nothing but the pinned cipher and curve.
    pub(crate) fn new(
        certificate: CertificateDer<'static>,
        name: &'static str,
    ) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate)
            .map_err(Failure::tls("trusting the certificate"))?;
        let provider = CryptoProvider {
            cipher_suites: vec![provider::cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![provider::kx_group::X25519],
            ..provider::default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(Failure::tls("the pinned cipher"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.enable_secret_extraction = true;
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(name).map_err(Failure::tls("the server's name"))?;
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }

    /// A connection that rustls speaks.
    pub(crate) fn stream(
        &self,
        server: &str,
        stream: TcpStream,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, Failure> {
        Ok(StreamOwned::new(self.shake_hands(server, &stream)?, stream))
    }

    /// A connection whose records are ours after the handshake.
    pub(crate) fn records(&self, server: &str, stream: &TcpStream) -> Result<Records, Failure> {
        let connection = self.shake_hands(server, stream)?;
        #[allow(
            deprecated,
            reason = "tickets and key updates, which it cannot tell of, are not wanted here"
        )]
        let secrets = connection
            .dangerous_extract_secrets()
            .map_err(Failure::tls("taking the keys over"))?;
        Ok(Records {
            sending: Direction::new(secrets.tx)?,
            receiving: Direction::new(secrets.rx)?,
            pending: Vec::new(),
            skipping: 0,
        })
    }

    fn shake_hands(
        &self,
        server: &str,
        mut stream: &TcpStream,
    ) -> Result<ClientConnection, Failure> {
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(Failure::tls("beginning a connection"))?;
        while connection.is_handshaking() || connection.wants_write() {
            connection
                .complete_io(&mut stream)
                .map_err(Failure::io(format!("{server}: TLS handshake")))?;
        }
        Ok(connection)
    }
}

/// The records of a connection after its handshake (RFC 8446 section 5).
pub(crate) struct Records {
    sending: Direction,
    receiving: Direction,
    /// The beginning of a record whose rest has not arrived.
    pending: Vec<u8>,
    /// Bytes of a record still to be passed over.
    skipping: usize,
}

struct Direction {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Direction {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Result<Self, Failure> {
        let refused = |what| Failure::Program {
            what: "TLS keys".into(),
            said: what,
        };
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else {
            return Err(refused("another cipher than the pinned one".to_owned()));
        };
        let unbound = UnboundKey::new(&AES_128_GCM, key.as_ref());
        let unbound = unbound.map_err(|_| refused("a key of another length".to_owned()))?;
        let mut start = [0; 12];
        start.copy_from_slice(iv.as_ref());
        Ok(Self {
            key: LessSafeKey::new(unbound),
            iv: start,
            sequence,
        })
    }

    /// The next record's nonce (RFC 8446 section 5.3).
    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Records {
    /// Whether nothing of a record is outstanding.
    pub(crate) const fn is_between(&self) -> bool {
        self.skipping == 0 && self.pending.is_empty()
    }

    /// Makes a record of a request.
    pub(crate) fn seal(&mut self, server: &str, request: &mut Vec<u8>) -> Result<(), Failure> {
        let refused = |_| Failure::Answer {
            server: server.to_owned(),
            what: "a request could not be sealed".to_owned(),
        };
        request.push(APPLICATION_DATA);
        let length = u16::try_from(request.len() + TAG_BYTES).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, high, low];
        let nonce = self.sending.nonce();
        self.sending
            .key
            .seal_in_place_append_tag(nonce, Aad::from(header), request)
            .map_err(refused)?;
        request.splice(0..0, header);
        Ok(())
    }

    /// Opens the record that begins or goes on here, if it is complete, and adds what it holds to
    /// `plain`. Gives what comes after it.
    pub(crate) fn open<'a>(
        &mut self,
        target: &Target,
        bytes: &'a [u8],
        plain: &mut Vec<u8>,
    ) -> Result<&'a [u8], Failure> {
        let (body, rest) = self.header(target, bytes)?;
        let Some(length) = body else {
            return Ok(rest);
        };
        let missing = HEADER_BYTES + length - self.pending.len();
        let (more, rest) = rest.split_at(missing.min(rest.len()));
        self.pending.extend_from_slice(more);
        if more.len() < missing {
            return Ok(rest);
        }
        let mut record = std::mem::take(&mut self.pending);
        let (header, sealed) = record.split_at_mut(HEADER_BYTES);
        let nonce = self.receiving.nonce();
        let opened = self
            .receiving
            .key
            .open_in_place(nonce, Aad::from(header), sealed);
        let opened = opened.map_err(|_| target.wrong("a record that cannot be opened"))?;
        match opened.split_last() {
            Some((&APPLICATION_DATA, data)) => plain.extend_from_slice(data),
            // Tickets for later connections, of which there will be none.
            Some((&HANDSHAKE, _)) => {}
            _ => return Err(target.wrong("an alert, or a padded record")),
        }
        Ok(rest)
    }

    /// Passes over the record that begins or goes on here. Gives what comes after it, and how many
    /// bytes of data the record holds if it began here.
    pub(crate) fn skip<'a>(
        &mut self,
        target: &Target,
        bytes: &'a [u8],
    ) -> Result<(&'a [u8], u64), Failure> {
        let mut rest = bytes;
        let mut data = 0;
        if self.skipping == 0 {
            let (body, after) = self.header(target, bytes)?;
            let Some(length) = body else {
                return Ok((after, 0));
            };
            rest = after;
            self.pending.clear();
            self.skipping = length;
            let overhead = TAG_BYTES + 1;
            let held = length.checked_sub(overhead);
            data = held.ok_or_else(|| target.wrong("a record of nothing"))? as u64;
        }
        let passed = self.skipping.min(rest.len());
        self.skipping -= passed;
        if self.skipping == 0 {
            self.receiving.sequence += 1;
        }
        Ok((&rest[passed..], data))
    }

    /// Completes a record's header; gives the length of what follows it, once that is known.
    fn header<'a>(
        &mut self,
        target: &Target,
        bytes: &'a [u8],
    ) -> Result<(Option<usize>, &'a [u8]), Failure> {
        let missing = HEADER_BYTES.saturating_sub(self.pending.len());
        let (more, rest) = bytes.split_at(missing.min(bytes.len()));
        self.pending.extend_from_slice(more);
        match self.pending[..] {
            [APPLICATION_DATA, 3, 3, high, low, ..] => {
                Ok((Some(usize::from(u16::from_be_bytes([high, low]))), rest))
            }
            [_, _, _, _, _, ..] => Err(target.wrong("something else than TLS 1.3 records")),
            _ => Ok((None, rest)),
        }
    }
}

/// Content types (RFC 8446 section 5.1).
const APPLICATION_DATA: u8 = 23;
const HANDSHAKE: u8 = 22;
const HEADER_BYTES: usize = 5;
const TAG_BYTES: usize = 16;
