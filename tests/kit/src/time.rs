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

    /// The clock for the code under test.
    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::reading(move || clock.now())
    }

    /// Its present instant.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panicked while advancing the clock")
    }

    /// Sets the clock.
    pub fn set(&self, instant: Timestamp) {
        *self.0.lock().expect("no test panicked while setting the clock") = instant;
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        let mut instant = self.0.lock().expect("no test panicked while advancing the clock");
        *instant = after(*instant, by);
    }
}

/// How long this thread has had a processor, which other programs do not lengthen.
pub fn processor_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(statistics.split(' ').next().and_then(|time| time.parse().ok()).expect("a number"))
}

/// A stopwatch that excludes the time in which the machine was too busy to run this process.
///
/// A deadline must be kept within the time that the code was given, not within what other programs left of it. A thread that only sleeps records how
/// much later than requested it was woken.
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
                // Every step between client, function and store waits like this.
                late.fetch_add(4 * waited, Ordering::Relaxed);
            }
        });
        Self { started: Instant::now(), late }
    }

    /// The time during which this process could run.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.late.load(Ordering::Relaxed)))
    }
}
