//! News of one line on their way to the exchange. The recorder thread never waits for it: what
//! finds no room waits here, and is offered again at the next drain.

use std::collections::VecDeque;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use uuid::Uuid;

use crate::engine::calls::link::{LineNews, LineNumber, News};
use crate::engine::limits::LINE_NEWS_MAX;

/// Tells the news of one line, in their order.
pub(crate) struct Teller {
    line: LineNumber,
    sender: Sender<News>,
    waiting: VecDeque<News>,
}

impl Teller {
    pub(crate) const fn new(line: LineNumber, sender: Sender<News>) -> Self {
        Self {
            line,
            sender,
            waiting: VecDeque::new(),
        }
    }

    /// Tells something, now or later.
    pub(crate) fn tell(&mut self, session: Uuid, what: LineNews) {
        if self.waiting.len() >= LINE_NEWS_MAX {
            self.make_room();
        }
        self.waiting.push_back(News {
            line: self.line,
            session,
            what,
        });
        self.offer();
    }

    /// Offers what waits.
    pub(crate) fn offer(&mut self) {
        while let Some(news) = self.waiting.pop_front() {
            match self.sender.try_send(news) {
                Ok(()) => {}
                Err(TrySendError::Full(news)) => return self.waiting.push_front(news),
                // Nobody listens: the daemon is being stopped.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    /// Digits are what there can be many of; without any, the oldest news goes.
    fn make_room(&mut self) {
        let is_digit = |news: &News| matches!(news.what, LineNews::Digit { .. });
        let digit = self.waiting.iter().position(is_digit).unwrap_or(0);
        let lost = self.waiting.remove(digit);
        log::error!("the exchange is behind; lost {lost:?}");
    }
}

#[cfg(test)]
mod tests {
    use audio_io::units::Millis;
    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::engine::session::plan::Digit;

    fn digit(key: char) -> LineNews {
        LineNews::Digit {
            digit: Digit::new(key).expect("a key"),
            duration_ms: Millis(80),
        }
    }

    #[test]
    fn what_finds_no_room_comes_later_and_in_order() {
        let (sender, mut receiver) = channel(2);
        let mut teller = Teller::new(LineNumber(3), sender);
        for key in ['1', '2', '3', '4'] {
            teller.tell(Uuid::nil(), digit(key));
        }
        let mut keys = Vec::new();
        for _ in 0..3 {
            while let Ok(news) = receiver.try_recv() {
                assert_eq!(news.line, LineNumber(3));
                if let LineNews::Digit { digit, .. } = news.what {
                    keys.push(digit.key());
                }
            }
            teller.offer();
        }
        assert_eq!(keys, ['1', '2', '3', '4']);
    }

    #[test]
    fn digits_are_lost_before_anything_else() {
        let (sender, mut receiver) = channel(1);
        let mut teller = Teller::new(LineNumber(0), sender);
        teller.tell(Uuid::nil(), digit('0'));
        teller.tell(Uuid::nil(), LineNews::DeviceLost);
        for _ in 0..LINE_NEWS_MAX {
            teller.tell(Uuid::nil(), digit('1'));
        }
        assert_eq!(teller.waiting.len(), LINE_NEWS_MAX);
        let mut lost_device = false;
        while let Ok(news) = receiver.try_recv() {
            lost_device |= matches!(news.what, LineNews::DeviceLost);
            teller.offer();
        }
        assert!(lost_device);
    }

    #[test]
    fn without_a_listener_nothing_gathers() {
        let (sender, receiver) = channel(1);
        drop(receiver);
        let mut teller = Teller::new(LineNumber(0), sender);
        teller.tell(Uuid::nil(), LineNews::Answered);
        assert!(teller.waiting.is_empty());
    }
}
