//! A condition's words into an expression (CEL language definition, "Syntax"), by recursive descent.
//!
//! What could exhaust the stack is refused: a condition is at most 4096 bytes, and nothing in it is nested deeper
//! than 32.

use super::ast::{Expr, Operator, What, Wrong};
use super::lex::{Token, tokens};

/// The longest condition, in bytes.
pub(crate) const LONGEST: usize = 4096;

/// How deep expressions may be nested.
pub(crate) const DEEPEST: usize = 32;

/// Words that CEL keeps for other languages' sake.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Reads a condition.
pub(crate) fn parse(text: &str) -> Result<Expr, Wrong> {
    if text.len() > LONGEST {
        let message = format!("the condition is {} bytes long", text.len());
        let mend = format!("at most {LONGEST} are possible: divide the rule");
        return Err(Wrong::new(0, message, mend));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        place: 0,
        end: text.len(),
    };
    let expr = parser.expr(0)?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    place: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.place).map(|(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.place).map_or(self.end, |(_, at)| *at)
    }

    fn eat(&mut self, mark: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Mark(other)) if *other == mark);
        self.place += usize::from(there);
        there
    }

    fn need(&mut self, mark: &'static str) -> Result<(), Wrong> {
        if self.eat(mark) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{mark}`")))
        }
    }

    fn unexpected(&self, wanted: &str) -> Wrong {
        let there = match self.peek() {
            None => "the condition ends".to_owned(),
            Some(Token::Name(name)) => format!("`{name}` stands"),
            Some(Token::Mark(mark)) => format!("`{mark}` stands"),
            Some(Token::Text(text)) => format!("{text:?} stands"),
            Some(Token::Int(_) | Token::Smallest | Token::Double(_)) => {
                "a number stands".to_owned()
            }
        };
        let message = format!("{there} where {wanted} should");
        Wrong::new(self.at(), message, "mend the expression there")
    }

    fn deeper(&self, depth: usize) -> Result<usize, Wrong> {
        if depth >= DEEPEST {
            let message = format!("the condition is nested deeper than {DEEPEST}");
            return Err(Wrong::new(self.at(), message, "divide the rule"));
        }
        Ok(depth + 1)
    }

    /// `a ? b : c`.
    fn expr(&mut self, depth: usize) -> Result<Expr, Wrong> {
        let depth = self.deeper(depth)?;
        let at = self.at();
        let condition = self.joined(depth, "||")?;
        if !self.eat("?") {
            return Ok(condition);
        }
        let then = self.joined(depth, "||")?;
        self.need(":")?;
        let other = self.expr(depth)?;
        let what = What::If(Box::new(condition), Box::new(then), Box::new(other));
        Ok(Expr { at, what })
    }

    /// `a || b`, or `a && b`.
    fn joined(&mut self, depth: usize, mark: &'static str) -> Result<Expr, Wrong> {
        let at = self.at();
        let mut parts = Vec::new();
        loop {
            parts.push(if mark == "||" {
                self.joined(depth, "&&")?
            } else {
                self.relation(depth)?
            });
            if !self.eat(mark) {
                break;
            }
        }
        if parts.len() > 1 {
            let what = if mark == "||" {
                What::Or(parts)
            } else {
                What::And(parts)
            };
            return Ok(Expr { at, what });
        }
        parts.pop().ok_or_else(|| self.unexpected("a value"))
    }

    fn relation(&mut self, depth: usize) -> Result<Expr, Wrong> {
        self.binary(depth, Self::relation_operator, |parser, depth| {
            parser.binary(depth, Self::sum_operator, |parser, depth| {
                parser.binary(depth, Self::product_operator, Self::unary)
            })
        })
    }

    /// Operators of one rank, from left to right. Each makes what follows one deeper.
    fn binary(
        &mut self,
        depth: usize,
        operator: fn(&Token) -> Option<Operator>,
        operand: fn(&mut Self, usize) -> Result<Expr, Wrong>,
    ) -> Result<Expr, Wrong> {
        let mut left = operand(self, depth)?;
        let mut depth = depth;
        while let Some(operator) = self.peek().and_then(operator) {
            depth = self.deeper(depth)?;
            let at = self.at();
            self.place += 1;
            let right = operand(self, depth)?;
            let what = What::Binary(operator, Box::new(left), Box::new(right));
            left = Expr { at, what };
        }
        Ok(left)
    }

    fn relation_operator(token: &Token) -> Option<Operator> {
        Some(match token {
            Token::Mark("==") => Operator::Equal,
            Token::Mark("!=") => Operator::NotEqual,
            Token::Mark("<") => Operator::Less,
            Token::Mark("<=") => Operator::LessEqual,
            Token::Mark(">") => Operator::Greater,
            Token::Mark(">=") => Operator::GreaterEqual,
            Token::Name(name) if name == "in" => Operator::In,
            _ => return None,
        })
    }

    fn sum_operator(token: &Token) -> Option<Operator> {
        Some(match token {
            Token::Mark("+") => Operator::Add,
            Token::Mark("-") => Operator::Subtract,
            _ => return None,
        })
    }

    fn product_operator(token: &Token) -> Option<Operator> {
        Some(match token {
            Token::Mark("*") => Operator::Multiply,
            Token::Mark("/") => Operator::Divide,
            Token::Mark("%") => Operator::Modulo,
            _ => return None,
        })
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, Wrong> {
        let at = self.at();
        if self.eat("!") {
            let depth = self.deeper(depth)?;
            let what = What::Not(Box::new(self.unary(depth)?));
            return Ok(Expr { at, what });
        }
        if self.eat("-") {
            let depth = self.deeper(depth)?;
            let what = match self.peek() {
                Some(Token::Smallest) => What::Int(i64::MIN),
                Some(Token::Int(value)) => What::Int(-value),
                Some(Token::Double(value)) => What::Double(-value),
                _ => {
                    return Ok(Expr {
                        at,
                        what: What::Minus(Box::new(self.unary(depth)?)),
                    });
                }
            };
            self.place += 1;
            return self.members(Expr { at, what }, depth);
        }
        let value = self.primary(depth)?;
        self.members(value, depth)
    }

    /// `.name`, `.name(…)` and `[…]` behind a value.
    fn members(&mut self, mut value: Expr, depth: usize) -> Result<Expr, Wrong> {
        let mut depth = depth;
        loop {
            let at = self.at();
            if self.eat(".") {
                depth = self.deeper(depth)?;
                let Some(Token::Name(name)) = self.peek() else {
                    return Err(self.unexpected("a member's name"));
                };
                let name = name.clone();
                let at = self.at();
                self.place += 1;
                let what = if self.eat("(") {
                    What::Call(Some(Box::new(value)), name, self.list(depth, ")")?)
                } else {
                    What::Member(Box::new(value), name)
                };
                value = Expr { at, what };
            } else if self.eat("[") {
                depth = self.deeper(depth)?;
                let index = self.expr(depth)?;
                self.need("]")?;
                let what = What::Index(Box::new(value), Box::new(index));
                value = Expr { at, what };
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Expr, Wrong> {
        let at = self.at();
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected("a value"));
        };
        let what = match token {
            Token::Int(value) => What::Int(value),
            Token::Double(value) => What::Double(value),
            Token::Text(text) => What::Text(text),
            Token::Mark("(") => {
                self.place += 1;
                let inner = self.expr(depth)?;
                self.need(")")?;
                return Ok(inner);
            }
            Token::Mark("[") => {
                self.place += 1;
                let items = self.list(depth, "]")?;
                return Ok(Expr {
                    at,
                    what: What::List(items),
                });
            }
            Token::Name(name) => return self.named(at, name, depth),
            Token::Smallest | Token::Mark(_) => return Err(self.unexpected("a value")),
        };
        self.place += 1;
        Ok(Expr { at, what })
    }

    fn named(&mut self, at: usize, name: String, depth: usize) -> Result<Expr, Wrong> {
        let what = match name.as_str() {
            "null" => What::Null,
            "true" => What::Bool(true),
            "false" => What::Bool(false),
            "in" => return Err(self.unexpected("a value")),
            reserved if RESERVED.contains(&reserved) => {
                let message = format!("`{reserved}` is a reserved word");
                return Err(Wrong::new(at, message, "name it otherwise"));
            }
            _ => {
                self.place += 1;
                let what = if self.eat("(") {
                    What::Call(None, name, self.list(depth, ")")?)
                } else {
                    What::Name(name)
                };
                return Ok(Expr { at, what });
            }
        };
        self.place += 1;
        Ok(Expr { at, what })
    }

    /// Expressions with commas between them, up to a closing mark; one comma more is allowed in a list.
    fn list(&mut self, depth: usize, close: &'static str) -> Result<Vec<Expr>, Wrong> {
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.expr(depth)?);
            if !self.eat(",") {
                self.need(close)?;
                break;
            }
        }
        Ok(items)
    }
}
