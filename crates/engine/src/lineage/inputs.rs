//! Sets of input columns, each with the ways it takes.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use ambit_protocol::LineageHow;

/// Steps that following one statement may take, an input of a column being one. A few expressions in layers can make every
/// column come from every other: 1,000 columns of 1,000 inputs are a million steps for each layer.
const STEPS_MAX: usize = 4_000_000;

/// Ways, in the order of their bits.
const WAYS: [LineageHow; 9] = [
    LineageHow::Identity,
    LineageHow::Transformation,
    LineageHow::Aggregation,
    LineageHow::Join,
    LineageHow::GroupBy,
    LineageHow::Filter,
    LineageHow::Sort,
    LineageHow::Window,
    LineageHow::Conditional,
];

/// A set of ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hows(u16);

impl Hows {
    const VALUE: Self = Self(0b11);
    const AGGREGATE: Self = Self(0b100);
    const DIRECT: Self = Self(0b111);

    pub(super) fn of(how: LineageHow) -> Self {
        Self(1 << how as u16)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn list(self) -> Vec<LineageHow> {
        let ways = WAYS.iter().copied();
        ways.filter(|how| self.0 & Self::of(*how).0 != 0).collect()
    }

    /// These ways, gone on. What is indirect stays what it is, whatever is made of it; an aggregation stays one.
    pub(super) fn through(self, how: LineageHow) -> Self {
        let indirect = self.without(Self::DIRECT);
        let direct = Self(self.0 & Self::DIRECT.0);
        match how {
            _ if direct.is_empty() => indirect,
            LineageHow::Identity => self,
            LineageHow::Transformation => {
                let values = if self.0 & Self::VALUE.0 == 0 {
                    Self(0)
                } else {
                    Self::of(how)
                };
                indirect.or(values).or(Self(self.0 & Self::AGGREGATE.0))
            }
            _ => indirect.or(Self::of(how)),
        }
    }

    /// These ways, gone on by each of others.
    pub(super) fn through_all(self, others: Self) -> Self {
        let ways = others.list().into_iter();
        ways.fold(Self::default(), |found, how| found.or(self.through(how)))
    }
}

/// Stands for a source in a set.
pub(super) type Id = u32;

/// Where a set's members come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// Column of a governed table.
    Column {
        table: Arc<str>,
        column: String,
        masked: bool,
    },
    /// A column of a recursive query, while it is being followed: the query's number, the column's position. The position
    /// after the last are the query's rows.
    Pending { query: usize, column: usize },
}

/// Inputs with their ways, sorted by source.
#[derive(Debug, Clone, Default)]
pub(super) struct Inputs(Rc<[(Id, Hows)]>);

impl Inputs {
    pub(super) fn one(id: Id, how: LineageHow) -> Self {
        Self(Rc::from([(id, Hows::of(how))]))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, Hows)> {
        self.0.iter().copied()
    }

    /// Members in any order, some of them several times.
    pub(super) fn gathered(mut members: Vec<(Id, Hows)>) -> Self {
        members.sort_unstable_by_key(|(id, _)| *id);
        members.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.or(next.1);
            }
            same
        });
        members.retain(|(_, hows)| !hows.is_empty());
        Self(Rc::from(members))
    }
}

/// Why a lineage is not followed to its end.
#[derive(Debug)]
pub(super) enum Lost {
    /// It takes more steps than are given, or a name leads nowhere: every input may be behind everything.
    Widen,
    /// A step that this does not know: what it reads is not known either.
    Unknown(String),
}

/// Gives sources their numbers and counts steps.
pub(super) struct Ledger {
    numbers: HashMap<Origin, Id>,
    origins: Vec<Origin>,
    steps: usize,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            numbers: HashMap::new(),
            origins: Vec::new(),
            steps: STEPS_MAX,
        }
    }

    pub(super) fn number(&mut self, origin: Origin) -> Result<Id, Lost> {
        if let Some(id) = self.numbers.get(&origin) {
            return Ok(*id);
        }
        let id = Id::try_from(self.origins.len()).map_err(|_| Lost::Widen)?;
        self.origins.push(origin.clone());
        self.numbers.insert(origin, id);
        Ok(id)
    }

    pub(super) fn origin(&self, id: Id) -> Result<&Origin, Lost> {
        self.origins.get(id as usize).ok_or(Lost::Widen)
    }

    pub(super) fn step(&mut self, steps: usize) -> Result<(), Lost> {
        self.steps = self.steps.checked_sub(steps).ok_or(Lost::Widen)?;
        Ok(())
    }

    pub(super) fn union(&mut self, sets: &[Inputs]) -> Result<Inputs, Lost> {
        let mut filled = sets.iter().filter(|set| !set.0.is_empty());
        let (first, second) = (filled.next(), filled.next());
        match (first, second) {
            (None, _) => return Ok(Inputs::default()),
            (Some(only), None) => return Ok(only.clone()),
            _ => {}
        }
        self.step(sets.iter().map(|set| set.0.len()).sum())?;
        Ok(Inputs::gathered(sets.iter().flat_map(Inputs::iter).collect()))
    }

    /// The union of sets, gone on.
    pub(super) fn through(&mut self, sets: &[Inputs], how: LineageHow) -> Result<Inputs, Lost> {
        let all = self.union(sets)?;
        self.step(all.0.len())?;
        Ok(Inputs(all.iter().map(|(id, hows)| (id, hows.through(how))).collect()))
    }
}
