//! The middle of several runs.

/// The middle value, or the mean of the two in the middle. NaN for no values at all.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The median of one property of many things.
pub fn median_of<T>(things: &[T], property: impl Fn(&T) -> f64) -> f64 {
    median(&mut things.iter().map(property).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_any_number() {
        assert!(median(&mut []).is_nan());
        assert_eq!(median(&mut [7.0]), 7.0);
        assert_eq!(median(&mut [9.0, 1.0]), 5.0);
        assert_eq!(median(&mut [9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 100.0]), 3.0);
    }

    #[test]
    fn of_a_property() {
        assert_eq!(median_of(&["a", "abc", "ab"], |word| word.len() as f64), 2.0);
    }
}
