//! The bytes of an answer that are made as they are asked for: a piece at a time, each waited for.
//! One piece is held at most, so that how far a conversion runs ahead of its client is bounded by
//! what hyper and the socket buffer. Recordings as they are stored take another way (`body.rs`).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::body::{BodyError, Part};
use super::metrics::HttpMetrics;
use crate::engine::transcode::{Made, Reading};

/// Parts of something made, in order.
pub(super) struct MadeBody {
    made: Arc<dyn Made>,
    parts: VecDeque<Part>,
    remaining: u64,
    /// The range that is being read from its start, and its next piece.
    coming: Option<(Range<u64>, Reading)>,
    metrics: Arc<HttpMetrics>,
}

impl MadeBody {
    /// Parts with texts between them, `remaining` bytes in all.
    pub(super) fn new(
        made: Arc<dyn Made>,
        parts: VecDeque<Part>,
        remaining: u64,
        metrics: Arc<HttpMetrics>,
    ) -> Self {
        Self {
            made,
            parts,
            remaining,
            coming: None,
            metrics,
        }
    }

    /// Bytes still to come.
    pub(super) const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next bytes; after an error there are none.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if let Some((range, reading)) = &mut self.coming {
                let piece = ready!(reading.as_mut().poll(cx));
                let range = range.clone();
                self.coming = None;
                let piece = piece.map_err(BodyError::Made);
                let piece = piece.and_then(|piece| self.take(piece, range));
                return self.emit(piece);
            }
            match self.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Text(text)) => return self.emit(Ok(text)),
                Some(Part::Range(range)) if range.is_empty() => {}
                Some(Part::Range(range)) => {
                    let reading = self.made.read(range.clone());
                    self.coming = Some((range, reading));
                }
            }
        }
    }

    /// Checks a piece of a range, and puts the rest of the range back.
    fn take(&mut self, mut piece: Bytes, range: Range<u64>) -> Result<Bytes, BodyError> {
        if piece.is_empty() {
            return Err(BodyError::Short);
        }
        let wanted = range.end - range.start;
        if piece.len() as u64 > wanted {
            piece.truncate(usize::try_from(wanted).map_err(|_| BodyError::Short)?);
        }
        let rest = range.start + piece.len() as u64..range.end;
        if !rest.is_empty() {
            self.parts.push_front(Part::Range(rest));
        }
        Ok(piece)
    }

    fn emit(&mut self, bytes: Result<Bytes, BodyError>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &bytes {
            Ok(bytes) => {
                let length = bytes.len() as u64;
                self.remaining = self.remaining.saturating_sub(length);
                self.metrics
                    .media_bytes
                    .fetch_add(length, Ordering::Relaxed);
            }
            Err(_) => {
                self.metrics.media_cut.fetch_add(1, Ordering::Relaxed);
                self.parts.clear();
            }
        }
        Poll::Ready(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use storage::record::WallMillis;

    use super::*;
    use crate::engine::transcode::ConvertError;

    /// Makes pieces of the given lengths, whatever is asked for; then fails.
    struct Odd(Vec<usize>, std::sync::Mutex<usize>);

    impl Made for Odd {
        fn size_bytes(&self) -> u64 {
            100
        }
        fn etag(&self) -> &'static str {
            "odd"
        }
        fn last_modified(&self) -> WallMillis {
            WallMillis(0)
        }
        fn read(&self, _range: Range<u64>) -> Reading {
            let mut turn = self.1.lock().unwrap();
            let length = self.0.get(*turn).copied();
            *turn += 1;
            Box::pin(async move {
                let bytes = length.map(|length| Bytes::from(vec![7; length]));
                bytes.ok_or(ConvertError::NoSound)
            })
        }
    }

    fn drain(lengths: &[usize]) -> (usize, Option<BodyError>, u64) {
        let made = Arc::new(Odd(lengths.to_vec(), std::sync::Mutex::new(0)));
        let metrics = Arc::new(HttpMetrics::new());
        let parts = [Part::Text(Bytes::from_static(b"lead")), Part::Range(0..100)];
        let mut body = MadeBody::new(made, parts.into(), 104, Arc::clone(&metrics));
        let mut cx = Context::from_waker(Waker::noop());
        let (mut got, mut failed) = (0, None);
        while let Poll::Ready(Some(next)) = body.poll_next(&mut cx) {
            match next {
                Ok(bytes) => got += bytes.len(),
                Err(error) => failed = Some(error),
            }
        }
        assert_eq!(body.remaining(), 104 - got as u64);
        (got, failed, metrics.media_cut.load(Ordering::Relaxed))
    }

    #[test]
    fn pieces_of_any_length_fill_exactly_what_was_told() {
        assert!(matches!(drain(&[60, 40]), (104, None, 0)));
        assert!(matches!(drain(&[1, 98, 5_000]), (104, None, 0)));
    }

    #[test]
    fn what_fails_ends_short_and_is_counted() {
        let (got, failed, count) = drain(&[60]);
        assert_eq!((got, count), (64, 1));
        assert!(matches!(
            failed,
            Some(BodyError::Made(ConvertError::NoSound))
        ));
        let (got, failed, count) = drain(&[60, 0, 40]);
        assert_eq!((got, count), (64, 1));
        assert!(matches!(failed, Some(BodyError::Short)));
    }
}
