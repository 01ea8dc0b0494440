//! Label selectors as text: `a=b,c in (d,e),!f,g`. Keywords are words like any other where a value is expected.

use super::super::builtin;
use super::{Requirement, Test};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    Word,
    In,
    NotIn,
    Not,
    Equal,
    NotEqual,
    Greater,
    Less,
    Open,
    Close,
    Comma,
    End,
}

type Result<T> = std::result::Result<T, String>;

pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut all = Vec::new();
    loop {
        match parser.peek() {
            (Token::Word | Token::Not, _) => {
                all.push(parser.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
            }
            (Token::End, _) => return Ok(all),
            (_, found) => return Err(format!("found '{found}', expected: !, identifier, or 'end of string'")),
        }
        match parser.next() {
            (Token::End, _) => return Ok(all),
            (Token::Comma, _) => {}
            (_, found) => return Err(format!("found '{found}', expected: ',' or 'end of string'")),
        }
        match parser.peek() {
            (Token::Word | Token::Not, _) => {}
            (_, found) => return Err(format!("found '{found}', expected: identifier after ','")),
        }
    }
}

fn tokens(text: &str) -> Vec<(Token, &str)> {
    let special = |c: char| "=!(),<>".contains(c);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match rest.get(..2) {
            Some("==" | "!=") => 2,
            _ if special(first) => 1,
            _ => rest.find(|c: char| special(c) || c.is_ascii_whitespace()).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        let token = match word {
            "in" => Token::In,
            "notin" => Token::NotIn,
            "!" => Token::Not,
            "=" | "==" => Token::Equal,
            "!=" => Token::NotEqual,
            ">" => Token::Greater,
            "<" => Token::Less,
            "(" => Token::Open,
            ")" => Token::Close,
            "," => Token::Comma,
            _ => Token::Word,
        };
        tokens.push((token, word));
        rest = after.trim_start();
    }
    tokens.push((Token::End, ""));
    tokens
}

struct Parser<'a> {
    tokens: Vec<(Token, &'a str)>,
    at: usize,
}

impl<'a> Parser<'a> {
    /// The next token where a value may stand.
    fn peek(&self) -> (Token, &'a str) {
        match self.tokens[self.at] {
            (Token::In | Token::NotIn, text) => (Token::Word, text),
            token => token,
        }
    }

    fn next(&mut self) -> (Token, &'a str) {
        let token = self.peek();
        self.advance();
        token
    }

    /// The end is never passed.
    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn requirement(&mut self) -> Result<Requirement> {
        let negated = self.peek().0 == Token::Not;
        if negated {
            self.advance();
        }
        let key = match self.next() {
            (Token::Word, key) => key.to_owned(),
            (_, found) => return Err(format!("found '{found}', expected: identifier")),
        };
        if let Some(wrong) = builtin::qualified_name(&key).first() {
            return Err(format!("<nil>: Invalid value: {key:?}: {wrong}"));
        }
        if negated {
            return Ok(Requirement { key, test: Test::Missing });
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(Requirement { key, test: Test::Exists });
        }
        // Here keywords are what they are.
        let (operator, found) = self.tokens[self.at];
        self.advance();
        let values = match operator {
            Token::In | Token::NotIn => self.values()?,
            Token::Equal | Token::NotEqual | Token::Greater | Token::Less => vec![self.value()?],
            _ => return Err(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt")),
        };
        let test = match operator {
            Token::Greater => Test::Greater(number(&values[0])?),
            Token::Less => Test::Less(number(&values[0])?),
            _ => {
                judge(&key, &values)?;
                if matches!(operator, Token::In | Token::Equal) { Test::In(values) } else { Test::NotIn(values) }
            }
        };
        Ok(Requirement { key, test })
    }

    /// The value after an operator; none at all is an empty one.
    fn value(&mut self) -> Result<String> {
        match self.peek() {
            (Token::End | Token::Comma, _) => Ok(String::new()),
            (Token::Word, text) => {
                self.advance();
                Ok(text.to_owned())
            }
            (_, found) => Err(format!("found '{found}', expected: identifier")),
        }
    }

    /// `(a,b)`; between two commas is an empty value.
    fn values(&mut self) -> Result<Vec<String>> {
        match self.next() {
            (Token::Open, _) => {}
            (_, found) => return Err(format!("found '{found}' expected: '('")),
        }
        let mut values = std::collections::BTreeSet::new();
        let mut word = false;
        loop {
            match self.next() {
                (Token::Word, text) if !word => {
                    values.insert(text.to_owned());
                    word = true;
                }
                (token @ (Token::Comma | Token::Close), _) => {
                    if !word {
                        values.insert(String::new());
                    }
                    word = false;
                    if token == Token::Close {
                        return Ok(values.into_iter().collect());
                    }
                }
                (_, found) if word => return Err(format!("found '{found}', expected: ',' or ')'")),
                (_, found) if values.is_empty() => {
                    return Err(format!("found '{found}', expected: ',', ')' or identifier"));
                }
                (_, found) => return Err(format!("found '{found}', expected: ',', or identifier")),
            }
        }
    }
}

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| {
        format!("values[0]: Invalid value: {text:?}: for 'Gt', 'Lt' operators, the value must be an integer")
    })
}

fn judge(key: &str, values: &[String]) -> Result<()> {
    for (index, value) in values.iter().enumerate() {
        if let Some(wrong) = builtin::label_value(value).first() {
            return Err(format!("values[{index}][{key}]: Invalid value: {value:?}: {wrong}"));
        }
    }
    Ok(())
}
