//! A clock that tests advance.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use doorward::clock::{Clock, Timestamp, after};

/// A clock that stands still until it is advanced.
#[derive(Clone)]
pub struct TestClock(Arc<Mutex<Timestamp>>);

impl TestClock {
    /// A clock at this instant.
    pub fn at(instant: &str) -> Self {
        Self(Arc::new(Mutex::new(instant.parse().expect("an instant"))))
    }

    /// The clock, for what is tested.
    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::reading(move || clock.now())
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panicked while advancing the clock")
    }

    /// Lets time go by.
    pub fn advance(&self, by: Duration) {
        let mut instant = self.0.lock().expect("no test panicked while advancing the clock");
        *instant = after(*instant, by);
    }
}

/// A stopwatch that stands still while the machine is too busy to run us.
///
/// What answers in time must do so by the time that it was given, not by what other programs left of it: a thread that only sleeps notes how much
/// later than asked it was woken.
pub struct Stopwatch {
    started: Instant,
    late: Arc<AtomicU64>,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        const TICK: Duration = Duration::from_millis(5);
        let late = Arc::new(AtomicU64::new(0));
        let noted = Arc::downgrade(&late);
        std::thread::spawn(move || {
            while let Some(late) = noted.upgrade() {
                let slept = Instant::now();
                std::thread::sleep(TICK);
                let waited = u64::try_from(slept.elapsed().saturating_sub(2 * TICK).as_millis()).expect("no test runs that long");
                // Every hop between client, function and store waits like this.
                late.fetch_add(4 * waited, Ordering::Relaxed);
            }
        });
        Self { started: Instant::now(), late }
    }

    /// The time that went by while we could run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.late.load(Ordering::Relaxed)))
    }
}
