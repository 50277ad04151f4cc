//! Why calls end on a line's side, by the names of Q.850 as FreeSWITCH writes them.

use crate::engine::session::command::HangupCause;

/// A cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// 16: somebody hung up.
    NormalClearing,
    /// 17: busy tone after dialling, or a telephone that lies beside the hook.
    UserBusy,
    /// 19: nobody answered.
    NoAnswer,
    /// 28: a number that cannot be dialled.
    InvalidNumberFormat,
    /// 34: congestion tone after dialling.
    NormalCircuitCongestion,
    /// 38: an alarm.
    NetworkOutOfOrder,
    /// 41: the channel refused an order, or a connection broke.
    NormalTemporaryFailure,
    /// 44: both sides seized the line at once, and the other one has it.
    RequestedChanUnavail,
    /// 487 of SIP: the caller gave up before anybody answered.
    OriginatorCancel,
    /// The channel is gone.
    DeviceLost,
}

impl Cause {
    /// Its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NormalClearing => "NORMAL_CLEARING",
            Self::UserBusy => "USER_BUSY",
            Self::NoAnswer => "NO_ANSWER",
            Self::InvalidNumberFormat => "INVALID_NUMBER_FORMAT",
            Self::NormalCircuitCongestion => "NORMAL_CIRCUIT_CONGESTION",
            Self::NetworkOutOfOrder => "NETWORK_OUT_OF_ORDER",
            Self::NormalTemporaryFailure => "NORMAL_TEMPORARY_FAILURE",
            Self::RequestedChanUnavail => "REQUESTED_CHAN_UNAVAIL",
            Self::OriginatorCancel => "ORIGINATOR_CANCEL",
            Self::DeviceLost => "DEVICE_LOST",
        }
    }
}

impl From<Cause> for HangupCause {
    fn from(cause: Cause) -> Self {
        Self::new(cause.as_str()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_one_that_clients_are_told() {
        for cause in [
            Cause::NormalClearing,
            Cause::UserBusy,
            Cause::NoAnswer,
            Cause::InvalidNumberFormat,
            Cause::NormalCircuitCongestion,
            Cause::NetworkOutOfOrder,
            Cause::NormalTemporaryFailure,
            Cause::RequestedChanUnavail,
            Cause::OriginatorCancel,
            Cause::DeviceLost,
        ] {
            assert_eq!(HangupCause::from(cause).as_str(), cause.as_str());
        }
    }
}
