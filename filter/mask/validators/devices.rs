//! Numbers of things that belong to one person: cars, telephones, SIM cards.
use super::digits::{digits, luhn};

/// ISO 3779 with the check digit of 49 CFR 565: letters count by a table, and the ninth place is the remainder. The
/// last four are digits, and some other place is a letter.
pub fn vin(value: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let count = |b: u8| match b {
        b'0'..=b'9' => u32::from(b.wrapping_sub(b'0')),
        b'A'..=b'H' => u32::from(b.wrapping_sub(b'A').wrapping_add(1)),
        b'J'..=b'R' => u32::from(b.wrapping_sub(b'J').wrapping_add(1)),
        _ => u32::from(b.wrapping_sub(b'S').wrapping_add(2)),
    };
    let sum = value.iter().zip(WEIGHTS).fold(0u32, |sum, (&b, w)| sum.wrapping_add(count(b).wrapping_mul(w)));
    let check = usize::try_from(sum.wrapping_rem(11)).ok().and_then(|rest| b"0123456789X".get(rest));
    let end = value.get(13..).is_some_and(|end| end.iter().all(u8::is_ascii_digit));
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let alphabet =
        value.iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'H' | b'J'..=b'N' | b'P' | b'R'..=b'Z'));
    value.len() == 17 && alphabet && end && letters >= 2 && value.get(8) == check
}

/// ITU-T E.118: 89, country, issuer, account, Luhn; nineteen or twenty digits.
pub fn iccid(value: &[u8]) -> bool {
    (19..=20).contains(&digits(value).count()) && digits(value).take(2).eq([8, 9]) && luhn(digits(value))
}

/// 3GPP TS 23.003: fourteen digits and Luhn.
pub fn imei(value: &[u8]) -> bool {
    digits(value).count() == 15 && luhn(digits(value)) && digits(value).any(|d| d != 0)
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn check_digits_of_things_are_tried() {
        table(
            vin,
            &["1M8GDM9AXKP042788", "1HGCM82633A004352", "5GZCZ43D13S812715"],
            &[
                "1M8GDM9AXKP042789",
                "1M8GDM9A1KP042788",
                "11111111111111111",
                "1M8GDM9AXKPO42788",
                "1M8GDM9AX",
            ],
        );
        table(
            iccid,
            &["8991101200003204514", "89310410106543789305"],
            &["8991101200003204515", "8891101200003204510"],
        );
        table(
            imei,
            &["490154203237518", "35-209900-176148-1"],
            &["490154203237519", "49015420323751", "000000000000000"],
        );
    }
}
