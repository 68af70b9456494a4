//! Argon2id over old hashes, computed on the operator's machine with all its cores.

use std::{
    cell::{Cell, RefCell},
    num::NonZeroUsize,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use doorward::{
    entropy::Entropy,
    fault::Fault,
    password::{Cost, Hasher, HashingError, StoredPassword},
};
use indicatif::{HumanDuration, ProgressBar};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// A hash that is quickly verified, to measure the time of a layer. It belongs to no account.
const SAMPLE: &str = "pbkdf2_sha256$1$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// One hasher for each core, because each keeps memory for one hash.
pub(super) struct Layers {
    hashers: RefCell<Vec<Arc<Hasher>>>,
    cores: usize,
    turns: Semaphore,
    computed: Cell<u32>,
    began: Instant,
    bar: ProgressBar,
}

impl Layers {
    /// Layers of this cost. The progress bar shows their rate.
    pub(super) fn new(cost: &Cost, entropy: &Entropy, bar: &ProgressBar) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let hashers = (0..cores).map(|_| Arc::new(Hasher::new(cost.clone(), entropy.clone()))).collect();
        let (turns, computed, began) = (Semaphore::new(cores), Cell::new(0), Instant::now());
        Self { hashers: RefCell::new(hashers), cores, turns, computed, began, bar: bar.clone() }
    }

    /// The hash with Argon2id over it. One is computed on each core at the same time.
    pub(super) async fn over(&self, old: &StoredPassword) -> Result<StoredPassword, Fault> {
        const NOT_COMPUTED: Fault = Fault::Internal("hashing");
        let _turn = self.turns.acquire().await.map_err(|_| NOT_COMPUTED)?;
        let hasher = self.hashers.borrow_mut().pop().ok_or(NOT_COMPUTED)?;
        let old = old.clone();
        let computing = spawn_blocking(move || (hasher.blocking_layer(&old), hasher)).await;
        let (layered, hasher) = computing.map_err(|_| NOT_COMPUTED)?;
        self.hashers.borrow_mut().push(hasher);
        self.computed.set(self.computed.get() + 1);
        self.bar.set_message(format!("{:.0} hashes layered a second", self.rate()));
        layered.map_err(|_: HashingError| NOT_COMPUTED)?.ok_or(NOT_COMPUTED)
    }

    fn rate(&self) -> f64 {
        f64::from(self.computed.get()) / self.began.elapsed().as_secs_f64().max(0.001)
    }

    /// An estimate of the time for this number of layers on this machine. It computes one to measure it.
    pub(super) fn estimate(&self, count: usize) -> Result<String, Fault> {
        let sample = StoredPassword::stored(SAMPLE.to_owned());
        let began = Instant::now();
        if let Some(hasher) = self.hashers.borrow().first() {
            hasher.blocking_layer(&sample).map_err(|_| Fault::Internal("hashing"))?;
        }
        let turns = u32::try_from(count.div_ceil(self.cores)).unwrap_or(u32::MAX);
        let cores = if self.cores == 1 { "core" } else { "cores" };
        let time = began.elapsed().saturating_mul(turns).max(Duration::from_secs(1));
        Ok(format!("about {} with the {} {cores} of this machine", HumanDuration(time), self.cores))
    }
}
