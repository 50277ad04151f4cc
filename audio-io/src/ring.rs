//! The ring between a real-time thread and an ordinary one: heapless' single-producer,
//! single-consumer queue of [`Block`]s with a capacity chosen at run time. Neither end waits,
//! locks or allocates. What to do when it is full is the producer's business.
//!
//! ```text
//!  real-time thread ── push ──▶ [ block | block | … ] ── pop_with ──▶ recorder thread
//! ```
#![allow(
    unsafe_code,
    reason = "both ends of a queue on the heap must be movable to threads"
)]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;

use heapless::spsc::{Consumer, Producer, Queue, QueueView};

use crate::block::{BLOCK_BYTES, Block};
use crate::format::StreamFormat;
use crate::limits::RING_BLOCKS_MAX;
use crate::units::{Frames, Millis};

/// Writes blocks; owned by one thread.
pub struct BlockProducer {
    end: Producer<'static, Block>,
    /// Keeps the memory behind `end` alive.
    _shared: Arc<Shared>,
}

/// Reads blocks; owned by one thread.
pub struct BlockConsumer {
    end: Consumer<'static, Block>,
    /// Keeps the memory behind `end` alive.
    _shared: Arc<Shared>,
}

/// A ring that holds at least this many blocks, up to [`RING_BLOCKS_MAX`]. Its memory is touched
/// once, so that no page fault meets the real-time thread.
#[must_use]
pub fn ring(blocks: usize) -> (BlockProducer, BlockConsumer) {
    let raw = match blocks {
        0..32 => allocate::<32>(),
        32..64 => allocate::<64>(),
        64..128 => allocate::<128>(),
        128..256 => allocate::<256>(),
        256..512 => allocate::<512>(),
        512..1_024 => allocate::<1_024>(),
        1_024..2_048 => allocate::<2_048>(),
        2_048..4_096 => allocate::<4_096>(),
        _ => allocate::<8_192>(),
    };
    let shared = Arc::new(Shared(raw));
    // SAFETY: `raw` is a valid queue that nothing else refers to yet, and it stays allocated until
    // the last clone of `shared` is dropped. Both ends carry one, so no end outlives the queue
    // although its lifetime says 'static. All of the queue's bytes are atomics or cells, so a
    // shared reference to it that dangles while the last owner is being dropped is not accessed
    // and promises nothing.
    let queue: &'static mut QueueView<Block> = unsafe { &mut *raw.as_ptr() };
    let (producer, consumer) = queue.split();
    let mut producer = BlockProducer {
        end: producer,
        _shared: Arc::clone(&shared),
    };
    let mut consumer = BlockConsumer {
        end: consumer,
        _shared: shared,
    };
    for _ in 0..=producer.capacity() {
        // An empty ring takes a block, and gives it back: neither can fail here.
        let _taken = producer.push(Block::audio(Frames::ZERO, &[]));
        let _given = consumer.pop_with(|_| ());
    }
    (producer, consumer)
}

/// The blocks a ring needs to hold this much sound of this format.
#[must_use]
pub fn blocks_for(format: StreamFormat, duration: Millis) -> usize {
    let bytes = format.bytes_of(format.rate.frames_in(duration));
    usize::try_from(bytes.div_ceil(BLOCK_BYTES as u64)).unwrap_or(RING_BLOCKS_MAX)
}

impl BlockProducer {
    /// Adds a block.
    ///
    /// # Errors
    /// Gives the block back when the ring is full.
    #[allow(
        clippy::result_large_err,
        reason = "the block goes back where it came from"
    )]
    #[inline]
    pub fn push(&mut self, block: Block) -> Result<(), Block> {
        self.end.enqueue(block)
    }

    /// Blocks waiting to be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether nothing waits to be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room for another block.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.end.ready()
    }

    /// The most blocks the ring can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.end.capacity()
    }
}

impl BlockConsumer {
    /// Takes the oldest block without copying it out first: `f` sees it in place.
    #[inline]
    pub fn pop_with<R>(&mut self, f: impl FnOnce(&Block) -> R) -> Option<R> {
        let result = f(self.end.peek()?);
        self.end.dequeue();
        Some(result)
    }

    /// The oldest block, which stays where it is.
    #[inline]
    #[must_use]
    pub fn peek(&self) -> Option<&Block> {
        self.end.peek()
    }

    /// Blocks waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most blocks the ring can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.end.capacity()
    }
}

/// Owns the queue's memory.
struct Shared(NonNull<QueueView<Block>>);

// SAFETY: `Shared` itself gives no access to the queue; it only frees it, once, when the last end
// is gone, and `Block` is plain data that any thread may drop.
unsafe impl Send for Shared {}
// SAFETY: as above; a `&Shared` can do nothing.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `allocate`, whose layout is that of a `Box` of the same
        // queue, and both ends are gone or being dropped without another access.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// An empty queue on the heap. It is not built on the stack first: the largest is megabytes, and
/// threads' stacks are not.
fn allocate<const N: usize>() -> NonNull<QueueView<Block>> {
    const {
        // What the SAFETY comment below relies on: two indices and the cells, nothing else.
        assert!(size_of::<Queue<Block, N>>() == 2 * size_of::<usize>() + N * size_of::<Block>());
        assert!(N - 1 <= RING_BLOCKS_MAX);
    }
    let layout = Layout::new::<Queue<Block, N>>();
    // SAFETY: the layout's size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    let Some(queue) = NonNull::new(memory.cast::<Queue<Block, N>>()) else {
        handle_alloc_error(layout)
    };
    // SAFETY: the memory is aligned and large enough; `Queue::new` makes two indices that are zero
    // and cells that need not be initialised, so zeroes are an empty queue.
    let fresh = unsafe { queue.as_ref() };
    assert!(
        fresh.is_empty() && fresh.capacity() == N - 1,
        "zeroes are an empty queue"
    );
    queue
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockKind;
    use crate::block::GapCause;

    #[test]
    fn capacity_is_at_least_what_was_asked() {
        for blocks in [0, 1, 31, 32, 100, 127, 128, 2_047, 2_048, RING_BLOCKS_MAX] {
            let (producer, _consumer) = ring(blocks);
            assert!(producer.capacity() >= blocks, "{blocks}");
            assert!(producer.is_empty());
        }
        assert_eq!(ring(1_000_000).0.capacity(), RING_BLOCKS_MAX);
        assert_eq!(blocks_for(StreamFormat::TELEPHONE, Millis(2_000)), 100);
    }

    #[test]
    fn a_full_ring_gives_the_block_back_and_keeps_the_order() {
        let (mut producer, mut consumer) = ring(31);
        for n in 0..31 {
            assert!(producer.push(Block::audio(Frames(n), &[1, 2])).is_ok());
        }
        assert!(producer.is_full());
        let refused = producer.push(Block::gap(Frames(31), Frames(9), GapCause::Stall));
        assert_eq!(refused.map_err(|block| block.position), Err(Frames(31)));
        assert_eq!(consumer.len(), 31);
        for n in 0..31 {
            let seen = consumer.pop_with(|block| (block.position, block.sound().to_vec()));
            assert_eq!(seen, Some((Frames(n), vec![1, 2])));
        }
        assert!(consumer.pop_with(|_| ()).is_none() && consumer.is_empty());
    }

    #[test]
    fn an_end_outlives_the_other() {
        let (mut producer, consumer) = ring(31);
        drop(consumer);
        assert!(producer.push(Block::audio(Frames(1), &[])).is_ok());
        let (producer, mut consumer) = ring(31);
        drop(producer);
        assert!(consumer.pop_with(|_| ()).is_none());
    }

    #[test]
    fn threads_hand_every_block_over_once_and_in_order() {
        const BLOCKS: u64 = 20_000;
        let workers: Vec<_> = (0..4_u8)
            .map(|stream| {
                let (mut producer, mut consumer) = ring(31);
                let writer = std::thread::spawn(move || {
                    for n in 0..BLOCKS {
                        let mut block = Block::audio(Frames(n), &[stream; BLOCK_BYTES]);
                        while let Err(back) = producer.push(block) {
                            block = back;
                            std::thread::yield_now();
                        }
                    }
                });
                let reader = std::thread::spawn(move || {
                    let mut next = 0;
                    while next < BLOCKS {
                        let seen = consumer.pop_with(|block| {
                            assert_eq!(block.position, Frames(next));
                            assert_eq!(block.kind, BlockKind::Audio);
                            assert_eq!(block.sound(), &[stream; BLOCK_BYTES]);
                        });
                        match seen {
                            Some(()) => next += 1,
                            None => std::thread::yield_now(),
                        }
                    }
                });
                (writer, reader)
            })
            .collect();
        for (writer, reader) in workers {
            assert!(writer.join().is_ok() && reader.join().is_ok());
        }
    }
}
