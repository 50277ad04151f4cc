//! SKELETON
#![allow(missing_docs, clippy::todo, unused_variables, reason = "skeleton")]
use crate::block::Block;
/// Writes blocks; owned by the real-time thread.
pub struct BlockProducer(());
/// Reads blocks; owned by the recorder thread.
pub struct BlockConsumer(());
/// A ring that holds at least this many blocks.
#[must_use]
pub fn ring(blocks: usize) -> (BlockProducer, BlockConsumer) { todo!() }
impl BlockProducer {
    /// Adds a block, or gives it back when the ring is full.
    pub fn push(&mut self, block: Block) -> Result<(), Block> { todo!() }
}
impl BlockConsumer {
    /// Takes the oldest block without copying it out first: `f` sees it in place.
    pub fn pop_with<R>(&mut self, f: impl FnOnce(&Block) -> R) -> Option<R> { todo!() }
    /// Blocks waiting.
    pub fn len(&self) -> usize { todo!() }
    pub fn is_empty(&self) -> bool { todo!() }
}
