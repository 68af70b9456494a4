//! A clock to turn.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use doorward::clock::{Clock, Timestamp, after};

/// A clock that stands still until it is turned.
#[derive(Clone)]
pub struct Hand(Arc<Mutex<Timestamp>>);

impl Hand {
    /// A clock at this instant.
    pub fn at(instant: &str) -> Self {
        Self(Arc::new(Mutex::new(instant.parse().expect("an instant"))))
    }

    /// The clock, for what is tested.
    pub fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::reading(move || hand.now())
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panicked while turning the clock")
    }

    /// Turns it on.
    pub fn turn(&self, by: Duration) {
        let mut instant = self.0.lock().expect("no test panicked while turning the clock");
        *instant = after(*instant, by);
    }
}
