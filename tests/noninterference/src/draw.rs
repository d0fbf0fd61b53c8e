//! Choices from a seed, recorded: replayed with fewer or smaller choices, the same generator makes a smaller case. Zero
//! is the simplest choice everywhere.

pub struct Draw {
    random: fastrand::Rng,
    script: Option<Vec<u32>>,
    taken: Vec<u32>,
}

impl Draw {
    pub fn seeded(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            script: None,
            taken: Vec::new(),
        }
    }

    /// Makes these choices, and the simplest ones after them.
    pub fn replay(script: Vec<u32>) -> Self {
        Self {
            random: fastrand::Rng::with_seed(0),
            script: Some(script),
            taken: Vec::new(),
        }
    }

    pub fn taken(&self) -> &[u32] {
        &self.taken
    }

    /// A number under `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u32::try_from(bound.max(1)).unwrap_or(u32::MAX);
        let choice = match &self.script {
            Some(script) => script.get(self.taken.len()).copied().unwrap_or(0).min(bound - 1),
            None => self.random.u32(0..bound),
        };
        self.taken.push(choice);
        choice as usize
    }

    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent.min(100)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A seed of its own for the `index`th of what `seed` makes.
pub fn derived(seed: u64, index: u64) -> u64 {
    let mut mixed = seed ^ index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
