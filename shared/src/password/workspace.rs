//! The memory in which Argon2 works. It is wiped after every hash and kept for the next.

use std::sync::{Mutex, PoisonError};

use argon2::{Argon2, Block};
use thiserror::Error;
use zeroize::Zeroize;

/// Why a hash could not be computed. This reveals nothing about the password.
#[derive(Debug, Error)]
pub enum HashingError {
    /// The system did not provide the memory that the parameters ask for.
    #[error("no memory for {kib} KiB of Argon2 blocks")]
    OutOfMemory {
        /// The requested memory in KiB.
        kib: usize,
    },
    /// The algorithm refused parameters that were within bounds.
    #[error("Argon2 refused its parameters")]
    Argon2(#[from] argon2::Error),
    /// The task was ended before it was done, because the runtime is shutting down.
    #[error("hashing was interrupted")]
    Interrupted,
}

/// Provides blocks of memory. One buffer, large enough for a hash at the configured cost, stays allocated, because getting its pages from the system takes
/// more than half as long as the hash (11 and 18 ms at 19 MiB; wiping them takes 1 ms). While it is in use, others get a new buffer.
pub(super) struct Workspace {
    kept: Mutex<Option<Vec<Block>>>,
    kept_blocks: usize,
}

impl Workspace {
    /// A workspace that keeps a buffer of `kept_blocks` KiB after its first use.
    pub(super) fn new(kept_blocks: usize) -> Self {
        Self { kept: Mutex::new(None), kept_blocks }
    }

    /// Computes one tag into `tag`.
    pub(super) fn compute(&self, argon2: &Argon2<'_>, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<(), HashingError> {
        let mut lent = self.lend(argon2.params().block_count())?;
        argon2.hash_password_into_with_memory(password, salt, tag, lent.used())?;
        Ok(())
    }

    fn lend(&self, blocks: usize) -> Result<Lent<'_>, HashingError> {
        if blocks > self.kept_blocks {
            // Imported hashes may need far more memory than ours, which is returned to the system.
            return Ok(Lent { workspace: None, buffer: allocate(blocks)?, used: blocks });
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let buffer = match kept {
            Some(buffer) => buffer,
            None => allocate(self.kept_blocks)?,
        };
        Ok(Lent { workspace: Some(self), buffer, used: blocks })
    }
}

/// Zeroed blocks, or an error where `Vec` would abort the process.
fn allocate(blocks: usize) -> Result<Vec<Block>, HashingError> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(blocks).map_err(|_| HashingError::OutOfMemory { kib: blocks })?;
    buffer.resize(blocks, Block::new());
    Ok(buffer)
}

/// A buffer that is wiped when it is returned, also after a panic.
struct Lent<'workspace> {
    workspace: Option<&'workspace Workspace>,
    buffer: Vec<Block>,
    used: usize,
}

impl Lent<'_> {
    fn used(&mut self) -> &mut [Block] {
        &mut self.buffer[..self.used]
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // The crate wipes its digests but not its blocks, with which a guess could be checked without computing the hash.
        self.used().iter_mut().for_each(Zeroize::zeroize);
        if let Some(workspace) = self.workspace {
            let buffer = std::mem::take(&mut self.buffer);
            *workspace.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, Version};

    use super::*;

    fn compute(workspace: &Workspace, memory_kib: u32) -> [u8; 32] {
        let mut tag = [0; 32];
        let params = Params::new(memory_kib, 1, 1, Some(32)).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        workspace.compute(&argon2, b"password", b"somesalt", &mut tag).unwrap();
        tag
    }

    #[test]
    fn blocks_are_wiped_and_kept_and_do_not_change_the_next_hash() {
        let workspace = Workspace::new(64);
        let first = compute(&workspace, 64);
        let kept = workspace.kept.lock().unwrap().clone().unwrap();
        assert_eq!(kept.len(), 64);
        assert!(kept.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
        compute(&workspace, 8);
        assert_eq!(compute(&workspace, 64), first);
    }

    #[test]
    fn more_than_our_own_hashes_need_is_not_kept() {
        let workspace = Workspace::new(8);
        compute(&workspace, 64);
        assert!(workspace.kept.lock().unwrap().is_none());
    }
}
