//! Countries, as ISO 3166-1 alpha-2 names them.
//!
//! Owns the table of officially assigned codes and nothing about what a country allows. Promises that a [`Country`]
//! is always one of them in upper case. Refuses codes that people use and the standard does not (`UK`, `XK`, `EU`).

use std::fmt;

/// An officially assigned ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two ASCII letters in any case.
    ///
    /// # Errors
    /// `REQUIRED` when empty, `MALFORMED` when these are not two letters, `COUNTRY_UNKNOWN` when no country has them.
    pub fn parse(text: &str) -> Result<Self, (&'static str, String)> {
        if text.is_empty() {
            return Err(("REQUIRED", "is required".to_owned()));
        }
        let code = match text.as_bytes() {
            [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
                [first.to_ascii_uppercase(), second.to_ascii_uppercase()]
            }
            _ => {
                return Err(("MALFORMED", "a country is its two-letter code of ISO 3166-1, such as US".to_owned()));
            }
        };
        if ASSIGNED.binary_search(&code).is_ok() {
            return Ok(Self(code));
        }
        let message = match &code {
            b"UK" => "UK is not a code of ISO 3166-1; the United Kingdom is GB".to_owned(),
            _ => format!("{} is not an assigned code of ISO 3166-1", Self(code)),
        };
        Err(("COUNTRY_UNKNOWN", message))
    }

    /// The code in upper case.
    pub fn as_str(&self) -> &str {
        // The two bytes are ASCII letters by construction, so the empty default is never taken.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every officially assigned code, ascending for the binary search.
#[rustfmt::skip]
const ASSIGNED: [[u8; 2]; 249] = [
    *b"AD", *b"AE", *b"AF", *b"AG", *b"AI", *b"AL", *b"AM", *b"AO", *b"AQ", *b"AR", *b"AS", *b"AT", *b"AU",
    *b"AW", *b"AX", *b"AZ",
    *b"BA", *b"BB", *b"BD", *b"BE", *b"BF", *b"BG", *b"BH", *b"BI", *b"BJ", *b"BL", *b"BM", *b"BN", *b"BO",
    *b"BQ", *b"BR", *b"BS", *b"BT", *b"BV", *b"BW", *b"BY", *b"BZ",
    *b"CA", *b"CC", *b"CD", *b"CF", *b"CG", *b"CH", *b"CI", *b"CK", *b"CL", *b"CM", *b"CN", *b"CO", *b"CR",
    *b"CU", *b"CV", *b"CW", *b"CX", *b"CY", *b"CZ",
    *b"DE", *b"DJ", *b"DK", *b"DM", *b"DO", *b"DZ",
    *b"EC", *b"EE", *b"EG", *b"EH", *b"ER", *b"ES", *b"ET",
    *b"FI", *b"FJ", *b"FK", *b"FM", *b"FO", *b"FR",
    *b"GA", *b"GB", *b"GD", *b"GE", *b"GF", *b"GG", *b"GH", *b"GI", *b"GL", *b"GM", *b"GN", *b"GP", *b"GQ",
    *b"GR", *b"GS", *b"GT", *b"GU", *b"GW", *b"GY",
    *b"HK", *b"HM", *b"HN", *b"HR", *b"HT", *b"HU",
    *b"ID", *b"IE", *b"IL", *b"IM", *b"IN", *b"IO", *b"IQ", *b"IR", *b"IS", *b"IT",
    *b"JE", *b"JM", *b"JO", *b"JP",
    *b"KE", *b"KG", *b"KH", *b"KI", *b"KM", *b"KN", *b"KP", *b"KR", *b"KW", *b"KY", *b"KZ",
    *b"LA", *b"LB", *b"LC", *b"LI", *b"LK", *b"LR", *b"LS", *b"LT", *b"LU", *b"LV", *b"LY",
    *b"MA", *b"MC", *b"MD", *b"ME", *b"MF", *b"MG", *b"MH", *b"MK", *b"ML", *b"MM", *b"MN", *b"MO", *b"MP",
    *b"MQ", *b"MR", *b"MS", *b"MT", *b"MU", *b"MV", *b"MW", *b"MX", *b"MY", *b"MZ",
    *b"NA", *b"NC", *b"NE", *b"NF", *b"NG", *b"NI", *b"NL", *b"NO", *b"NP", *b"NR", *b"NU", *b"NZ",
    *b"OM",
    *b"PA", *b"PE", *b"PF", *b"PG", *b"PH", *b"PK", *b"PL", *b"PM", *b"PN", *b"PR", *b"PS", *b"PT", *b"PW",
    *b"PY",
    *b"QA",
    *b"RE", *b"RO", *b"RS", *b"RU", *b"RW",
    *b"SA", *b"SB", *b"SC", *b"SD", *b"SE", *b"SG", *b"SH", *b"SI", *b"SJ", *b"SK", *b"SL", *b"SM", *b"SN",
    *b"SO", *b"SR", *b"SS", *b"ST", *b"SV", *b"SX", *b"SY", *b"SZ",
    *b"TC", *b"TD", *b"TF", *b"TG", *b"TH", *b"TJ", *b"TK", *b"TL", *b"TM", *b"TN", *b"TO", *b"TR", *b"TT",
    *b"TV", *b"TW", *b"TZ",
    *b"UA", *b"UG", *b"UM", *b"US", *b"UY", *b"UZ",
    *b"VA", *b"VC", *b"VE", *b"VG", *b"VI", *b"VN", *b"VU",
    *b"WF", *b"WS",
    *b"YE", *b"YT",
    *b"ZA", *b"ZM", *b"ZW",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_assigned_code_is_read_in_any_case_and_answers_in_upper_case() {
        for code in ASSIGNED {
            let upper = str::from_utf8(&code).unwrap();
            for text in [upper.to_owned(), upper.to_lowercase()] {
                assert_eq!(Country::parse(&text).unwrap().to_string(), upper);
            }
        }
    }

    #[test]
    fn the_table_ascends_without_repetition_so_that_the_search_finds_all_of_it() {
        assert!(ASSIGNED.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn exactly_the_249_assigned_codes_are_countries() {
        let letters = || b'A'..=b'Z';
        let known = letters()
            .flat_map(|a| letters().map(move |b| String::from_utf8(vec![a, b]).unwrap()))
            .filter(|code| Country::parse(code).is_ok())
            .count();
        assert_eq!(known, 249);
    }

    #[test]
    fn uk_is_told_that_it_is_gb() {
        let (reason, message) = Country::parse("uk").unwrap_err();
        assert_eq!(reason, "COUNTRY_UNKNOWN");
        assert!(message.contains("GB"), "{message}");
    }

    #[test]
    fn what_is_not_two_letters_is_malformed_and_unassigned_letters_are_unknown() {
        for malformed in ["U", "USA", "U1", " US", "ÅÄ", "ＵＳ", "é"] {
            assert_eq!(Country::parse(malformed).unwrap_err().0, "MALFORMED", "{malformed}");
        }
        for unknown in ["XX", "ZZ", "EU", "XK", "AN", "SU"] {
            assert_eq!(Country::parse(unknown).unwrap_err().0, "COUNTRY_UNKNOWN", "{unknown}");
        }
        assert_eq!(Country::parse("").unwrap_err().0, "REQUIRED");
    }
}
