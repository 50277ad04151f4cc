//! Numbers, sizes and places of the kernel's interface, as the C compiler finds them in Debian's
//! `dahdi/user.h` and as this repository states them: all of them, side by side.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::process::Command;

use audio_io::dahdi::abi;

/// Names of both sides with the value of ours; the C side is generated from the names.
struct Table(Vec<(String, i128)>);

impl Table {
    fn constants() -> Self {
        macro_rules! table {
            ($($name:ident)*) => {
                vec![$((concat!("DAHDI_", stringify!($name)).to_owned(), i128::from(abi::$name))),*]
            };
        }
        let mut all = table!(
            CODE MAX_SPANS MAX_CHANNELS MAX_NUM_BUFS MAX_BUF_SPACE MAX_BLOCKSIZE POLICY_IMMEDIATE
            SIG_NONE SIG_FXSLS SIG_FXSGS SIG_FXSKS SIG_FXOLS SIG_FXOGS SIG_FXOKS SIG_EM SIG_CLEAR
            SIG_HDLCRAW SIG_HDLCFCS SIG_HDLCNET SIG_SLAVE SIG_SF SIG_CAS SIG_DACS SIG_EM_E1
            SIG_HARDHDLC SIG_MTP2 LAW_DEFAULT LAW_MULAW LAW_ALAW
            DIAL_OP_APPEND DIAL_OP_REPLACE DIAL_OP_CANCEL
            ONHOOK OFFHOOK WINK FLASH START RING RINGOFF
            FLUSH_READ FLUSH_WRITE FLUSH_EVENT FLUSH_ALL CONF_NORMAL CONF_MONITOR CONF_MONITORTX
            ALARM_RECOVER ALARM_LOOPBACK ALARM_YELLOW ALARM_RED ALARM_BLUE ALARM_NOTOPEN ALARM_LOS
            ALARM_LFA ALARM_LMFA
            EVENT_NONE EVENT_ONHOOK EVENT_RINGOFFHOOK EVENT_WINKFLASH EVENT_ALARM EVENT_NOALARM
            EVENT_DIALCOMPLETE EVENT_RINGERON EVENT_RINGEROFF EVENT_HOOKCOMPLETE EVENT_BITSCHANGED
            EVENT_PULSE_START EVENT_POLARITY EVENT_RINGBEGIN EVENT_EC_DISABLED EVENT_REMOVED
            EVENT_READ_OVERRUN EVENT_WRITE_UNDERRUN EVENT_PULSEDIGIT EVENT_DTMFDOWN EVENT_DTMFUP
            TONE_STOP TONE_DIALTONE TONE_BUSY TONE_RINGTONE TONE_CONGESTION
            GET_BLOCKSIZE SET_BLOCKSIZE FLUSH GET_PARAMS SET_PARAMS HOOK GETEVENT SPANSTAT GETCONF
            SETCONF GETGAINS SETGAINS SENDTONE GETTONEZONE SETTONEZONE GET_BUFINFO SET_BUFINFO DIAL
            AUDIOMODE ECHOCANCEL CHANNO DIALING SPECIFY SETLAW SETLINEAR GETRXBITS GETVERSION
            RXMIRROR TXMIRROR BUFFER_EVENTS
        );
        let size = |value: usize| i128::try_from(value).expect("a small number");
        all.extend([
            ("ELAST".into(), abi::ELAST.into()),
            ("__DAHDI_SIG_FXS".into(), abi::SIG_FXS.into()),
            ("__DAHDI_SIG_FXO".into(), abi::SIG_FXO.into()),
            ("WCTDM_GET_STATS".into(), abi::WCTDM_GET_STATS.into()),
            ("DAHDI_MAX_EVENTSIZE".into(), size(abi::MAX_EVENTSIZE)),
            ("DAHDI_MAX_DTMF_BUF".into(), size(abi::MAX_DTMF_BUF)),
        ]);
        Self(all)
    }

    /// Sizes and places of all fields.
    fn layouts() -> Self {
        let mut all = Vec::new();
        let size = |value: usize| i128::try_from(value).expect("a small number");
        macro_rules! layout {
            ($ours:ident, $theirs:literal, $($field:ident)*) => {
                all.push((concat!("sizeof(struct ", $theirs, ")").to_owned(),
                    size(size_of::<abi::$ours>())));
                $(all.push((
                    concat!("offsetof(struct ", $theirs, ", ", stringify!($field), ")").to_owned(),
                    size(offset_of!(abi::$ours, $field)),
                ));)*
            };
        }
        layout!(Params, "dahdi_params", channo spanno chanpos sigtype sigcap rxisoffhook rxbits
            txbits txhooksig rxhooksig curlaw idlebits name prewinktime preflashtime winktime
            flashtime starttime rxwinktime rxflashtime debouncetime pulsebreaktime pulsemaketime
            pulseaftertime chan_alarms);
        layout!(SpanInfo, "dahdi_spaninfo", spanno name desc alarms txlevel rxlevel bpvcount
            crc4count ebitcount fascount fecount cvcount becount prbs errsec irqmisses syncsrc
            numchans totalchans totalspans lbo lineconfig lboname location manufacturer devicetype
            irq linecompat spantype);
        layout!(BufferInfo, "dahdi_bufferinfo", txbufpolicy rxbufpolicy numbufs bufsize readbufs
            writebufs);
        layout!(Gains, "dahdi_gains", chan rxgain txgain);
        layout!(ConfInfo, "dahdi_confinfo", chan confno confmode);
        layout!(DialOperation, "dahdi_dialoperation", op dialstr);
        layout!(VersionInfo, "dahdi_versioninfo", version echo_canceller);
        layout!(WctdmStats, "wctdm_stats", tipvolt ringvolt batvolt);
        Self(all)
    }
}

/// What the C compiler makes of the same expressions.
fn of_the_header(table: &Table) -> BTreeMap<String, i128> {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let source = folder.path().join("layout.c");
    let program = folder.path().join("layout");
    let mut text = String::from(
        "#define CONFIG_DAHDI_MIRROR 1\n#include <stddef.h>\n#include <stdio.h>\n\
         #include <dahdi/user.h>\n#include <dahdi/wctdm_user.h>\nint main(void) {\n",
    );
    for (name, _) in &table.0 {
        text.push_str(&format!(
            "printf(\"%s=%lld\\n\", \"{name}\", (long long)({name}));\n"
        ));
    }
    text.push_str("return 0; }\n");
    std::fs::write(&source, text).expect("a file in the scratch folder");
    let built = Command::new("cc")
        .args(["-std=gnu11", "-o"])
        .args([&program, &source])
        .output()
        .expect("a C compiler (package gcc)");
    assert!(
        built.status.success(),
        "dahdi/user.h does not compile; it is in Debian's packages libtonezone-dev and \
         dahdi-source (`make setup` installs them):\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let ran = Command::new(&program).output().expect("the program runs");
    String::from_utf8_lossy(&ran.stdout)
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

fn compare(ours: &Table) {
    let theirs = of_the_header(ours);
    assert_eq!(theirs.len(), ours.0.len(), "each name once");
    let different: Vec<String> = ours
        .0
        .iter()
        .filter(|(name, value)| theirs.get(name) != Some(value))
        .map(|(name, value)| format!("{name}: ours {value}, header {:?}", theirs.get(name)))
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn numbers_and_requests_are_the_headers() {
    compare(&Table::constants());
}

#[test]
fn structures_are_laid_out_as_in_the_header() {
    compare(&Table::layouts());
}
