//! ALSA configurations made for one test: files and nothingness as sound cards, and sinks of a
//! private PulseAudio. `ALSA_CONFIG_PATH` points the daemon at them; the machine's own are unused.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// PCMs under names.
#[derive(Clone, Debug)]
pub struct AlsaConfig {
    text: String,
}

impl Default for AlsaConfig {
    fn default() -> Self {
        Self {
            text: "pcm.nothing { type null }\npcm.spare { type null }\nctl.default { type null }\n"
                .to_owned(),
        }
    }
}

impl AlsaConfig {
    /// A capture device that plays a file of raw samples, as fast as it is read.
    #[must_use]
    pub fn file(mut self, name: &str, samples: &Path) -> Self {
        let _ = writeln!(
            self.text,
            "pcm.{name} {{ type file slave.pcm \"nothing\" file \"/dev/null\" infile \"{}\" \
             format \"raw\" }}",
            samples.display()
        );
        self
    }

    /// A PCM of a PulseAudio server: `device` is a sink, or `<sink>.monitor` to capture it.
    #[must_use]
    pub fn pulse(mut self, name: &str, socket: &Path, device: &str) -> Self {
        let _ = writeln!(
            self.text,
            "pcm.{name} {{ type pulse server \"unix:{}\" device \"{device}\" }}",
            socket.display()
        );
        self
    }

    /// Writes the configuration into `folder`.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("asound.conf");
        std::fs::write(&path, &self.text).expect("asound.conf");
        path
    }
}
