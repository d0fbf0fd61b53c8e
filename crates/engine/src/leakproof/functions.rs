//! DataFusion's functions that can neither fail nor reveal, whatever the value: a list with a reason each. What is not on
//! it is not leakproof. Tests call every function of the list with every kind of extreme value.
//!
//! Not on it, though they look harmless: `abs` and `round` of integers and `factorial`, `gcd`, `lcm`, `power` (overflow); `sqrt` (negative numbers);
//! `date_trunc` and `date_part` (instants beyond the calendar, and a panic close to the first one); `repeat`, `lpad`, `rpad`, `concat`, `replace`,
//! `overlay`, `translate` (results that outgrow memory); `levenshtein` and everything of the regex group (time that grows
//! with the square of hidden lengths, patterns that do not compile); `to_*`, `decode`, `chr` (values that have no
//! reading); everything nested (indices, comparisons of nested values).

use ambit_protocol::LeakproofArgument::{self, Binary, Count, Float, Text, TextLiteral};

/// A function, and the arguments with which it is leakproof.
pub(crate) struct LeakproofFunction {
    /// Canonical name.
    pub name: &'static str,
    pub arguments: &'static [LeakproofArgument],
    pub reason: &'static str,
}

const fn entry(name: &'static str, arguments: &'static [LeakproofArgument], reason: &'static str) -> LeakproofFunction {
    LeakproofFunction {
        name,
        arguments,
        reason,
    }
}

/// A real function with a value, NaN or an infinity everywhere.
const IEEE: &str = "defined on every float: NaN or an infinity where mathematics has nothing";

pub(crate) const LEAKPROOF: [LeakproofFunction; 43] = [
    entry("acos", &[Float], IEEE),
    entry("acosh", &[Float], IEEE),
    entry("ascii", &[Text], "the first character's number, 0 for an empty string"),
    entry("asin", &[Float], IEEE),
    entry("asinh", &[Float], IEEE),
    entry("atan", &[Float], IEEE),
    entry("atan2", &[Float, Float], IEEE),
    entry("atanh", &[Float], IEEE),
    entry("bit_length", &[Text], "a length"),
    entry("btrim", &[Text], "a part of its argument"),
    entry("cbrt", &[Float], IEEE),
    entry("ceil", &[Float], IEEE),
    entry("character_length", &[Text], "a length"),
    entry("contains", &[Text, TextLiteral], "a substring is there or is not"),
    entry("cos", &[Float], IEEE),
    entry("cosh", &[Float], IEEE),
    entry("degrees", &[Float], IEEE),
    entry("ends_with", &[Text, TextLiteral], "a suffix is there or is not"),
    entry("exp", &[Float], IEEE),
    entry(
        "initcap",
        &[Text],
        "every string has an initial case, at most three times as long",
    ),
    entry("isnan", &[Float], "a bit of the representation"),
    entry("iszero", &[Float], "a bit of the representation"),
    entry("left", &[Text, Count], "a part of its argument"),
    entry("ln", &[Float], IEEE),
    entry("log10", &[Float], IEEE),
    entry("log2", &[Float], IEEE),
    entry(
        "lower",
        &[Text],
        "every string has a lower case, at most three times as long",
    ),
    entry("ltrim", &[Text], "a part of its argument"),
    entry("md5", &[Text], "every string has a digest"),
    entry("octet_length", &[Text], "a length"),
    entry("radians", &[Float], IEEE),
    entry("reverse", &[Text], "as long as its argument"),
    entry("right", &[Text, Count], "a part of its argument"),
    entry("rtrim", &[Text], "a part of its argument"),
    entry("sha256", &[Binary], "every value has a digest"),
    entry("signum", &[Float], IEEE),
    entry("sin", &[Float], IEEE),
    entry("sinh", &[Float], IEEE),
    entry("starts_with", &[Text, TextLiteral], "a prefix is there or is not"),
    entry("strpos", &[Text, TextLiteral], "a position, 0 where there is none"),
    entry("substr", &[Text, Count, Count], "a part of its argument"),
    entry("tan", &[Float], IEEE),
    entry(
        "upper",
        &[Text],
        "every string has an upper case, at most three times as long",
    ),
];
