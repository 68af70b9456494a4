//! Compares two samples of times: whether they have the same distribution, and how far apart they are.
//!
//! Times have long tails and no fixed shape, so ranks are compared instead of means: by the Mann–Whitney U test (1947), and by Cliff's delta (1993),
//! the probability that a time of the first sample is longer than one of the second, minus the probability of the opposite. An attacker who guesses
//! from one pair of answers is right with probability (1 + |delta|) / 2.

/// Significance level: below this probability that equal distributions differ as much, they are not considered equal.
pub const SIGNIFICANCE: f64 = 0.001;
/// The smallest effect that counts as a leak: "small" according to Romano and others (2006).
pub const LEAST_EFFECT: f64 = 0.147;
/// The bound of the whole interval for "no leak found", at which "medium" begins. It excludes an attacker who is right two times out of three.
pub const EFFECT_BOUND: f64 = 0.33;
/// The quantile of the normal distribution for a two-sided interval of 99 %.
const QUANTILE: f64 = 2.575_829;

/// The comparison of two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Cliff's delta, which is positive if the first takes longer.
    pub delta: f64,
    /// Its 99 % confidence interval.
    pub interval: (f64, f64),
    /// The probability that equal distributions differ as much (two-sided, normal approximation, corrected for ties).
    pub p: f64,
    /// The medians of both.
    pub medians: (f64, f64),
}

/// The conclusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The times reveal which is which.
    Leak,
    /// They differ by less than the bound, if at all.
    NoLeakFound,
    /// More samples or a quieter machine are needed.
    Undecided,
}

impl Comparison {
    /// Compares two samples, neither empty.
    pub fn of(first: &[f64], second: &[f64]) -> Self {
        let (count, other) = (first.len() as f64, second.len() as f64);
        let mut all: Vec<(f64, bool)> = first.iter().map(|time| (*time, true)).chain(second.iter().map(|time| (*time, false))).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Equal times share the mean of their ranks.
        let (mut rank_sum, mut ties, mut from) = (0.0, 0.0, 0);
        while from < all.len() {
            let equal = all[from..].iter().take_while(|(time, _)| *time == all[from].0).count();
            let rank = from as f64 + (equal as f64 + 1.0) / 2.0;
            rank_sum += rank * all[from..from + equal].iter().filter(|(_, of_first)| *of_first).count() as f64;
            ties += (equal as f64).powi(3) - equal as f64;
            from += equal;
        }
        let u = rank_sum - count * (count + 1.0) / 2.0;
        let superiority = u / (count * other);
        let total = count + other;
        let variance = count * other / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
        let distance = ((u - count * other / 2.0).abs() - 0.5).max(0.0);
        let p = if variance > 0.0 { erfc(distance / variance.sqrt() / std::f64::consts::SQRT_2) } else { 1.0 };
        let error = standard_error(superiority, count, other);
        let delta = 2.0 * superiority - 1.0;
        let reach = 2.0 * QUANTILE * error;
        Self { delta, interval: ((delta - reach).max(-1.0), (delta + reach).min(1.0)), p, medians: (median(first), median(second)) }
    }

    /// The conclusion.
    pub fn verdict(&self) -> Verdict {
        if self.p < SIGNIFICANCE && self.delta.abs() >= LEAST_EFFECT {
            Verdict::Leak
        } else if self.interval.0 > -EFFECT_BOUND && self.interval.1 < EFFECT_BOUND {
            Verdict::NoLeakFound
        } else {
            Verdict::Undecided
        }
    }
}

/// The standard error of the probability of superiority (Hanley and McNeil, 1982).
fn standard_error(superiority: f64, count: f64, other: f64) -> f64 {
    let (q1, q2) = (superiority / (2.0 - superiority), 2.0 * superiority.powi(2) / (1.0 + superiority));
    let square = superiority.powi(2);
    let variance = superiority * (1.0 - superiority) + (count - 1.0) * (q1 - square) + (other - 1.0) * (q2 - square);
    (variance / (count * other)).max(0.0).sqrt()
}

/// The median of a sample.
pub fn median(sample: &[f64]) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// The complementary error function, to 1.2e-7 of its value (Numerical Recipes, 6.2).
fn erfc(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    let value = t * (polynomial - x * x).exp();
    if x >= 0.0 { value } else { 2.0 - value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_says_what_the_textbook_says() {
        // U by counting pairs, p by the formula with ties and continuity (as scipy's mannwhitneyu, method='asymptotic'), worked out in Python.
        let a = [1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 3.3];
        let b = [0.5, 1.0, 2.2, 2.0, 1.5, 3.3, 0.7];
        let comparison = Comparison::of(&a, &b);
        assert!((comparison.p - 0.014638528).abs() < 1e-6, "{comparison:?}");
        assert!((comparison.delta - (2.0 * 49.5 / 56.0 - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn the_same_times_are_no_leak_and_other_times_are() {
        let times = |shift: f64| (0..100).map(|number| f64::from(number * 37 % 101) + shift).collect::<Vec<f64>>();
        let same = Comparison::of(&times(0.0), &times(0.0));
        assert_eq!((same.delta, same.verdict()), (0.0, Verdict::NoLeakFound));
        for (shift, sign) in [(30.0, 1.0), (-30.0, -1.0)] {
            let apart = Comparison::of(&times(shift), &times(0.0));
            assert!(apart.verdict() == Verdict::Leak && apart.delta * sign > 0.4, "{apart:?}");
        }
        assert_eq!(Comparison::of(&times(0.0)[..10], &times(0.0)[..10]).verdict(), Verdict::Undecided, "too few to say so");
    }
}
