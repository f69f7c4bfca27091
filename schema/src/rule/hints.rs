//! What the rules compare the fields of events with: which fields name or repeat what another entity says, and which
//! words a field is compared with. Who draws events that keep the rules draws their values from there.

mod places;

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use self::places::{Whose, branches, compared, constant, constants, found, place};
use super::compiled::{Compiled, Does, FindBy, Finder, Whom};
use super::declare::On;
use super::rules::Rules;
use super::shape::Shape;
use crate::cel::ast::Operator;
use crate::cel::node::{Node, Root};
use crate::name::KindName;

/// A place of an entity or of an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The identifier.
    Id,
    /// A field, `status` among them, or a path that an index has.
    Field(String),
}

/// Entities of two kinds that a rule looks at together: in each pair both say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Join {
    /// The rule: the kind that declares it, its name and its part.
    pub(crate) rule: (KindName, String, String),
    pub(crate) one: KindName,
    pub(crate) other: KindName,
    pub(crate) pairs: Vec<(Place, Place)>,
    /// What the one says besides, and the other.
    pub(crate) one_says: Vec<(String, String)>,
    pub(crate) other_says: Vec<(String, String)>,
}

/// A text or a flag that a rule compares a field with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word {
    pub(crate) kind: KindName,
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A regular expression that a text is to match, where the fields of its entity say all this.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    pub(crate) kind: KindName,
    pub(crate) place: Place,
    pub(crate) text: String,
    pub(crate) says: Vec<(String, Value)>,
}

/// Everything of this sort that the rules of a catalog say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    pub(crate) joins: Vec<Join>,
    pub(crate) words: Vec<Word>,
    /// By kind: a field of an event that repeats what its entity says, and the field there.
    pub(crate) same: Vec<(KindName, String, Place)>,
    /// What texts are to match.
    pub(crate) patterns: Vec<Pattern>,
    /// A field that no two entities of a kind say the same of, since a rule wants one of them.
    pub(crate) alone: Vec<(KindName, String)>,
}

impl Hints {
    pub(crate) fn of(rules: &Rules) -> Self {
        let mut hints = Self::default();
        for compiled in rules.all() {
            Reader {
                compiled,
                hints: &mut hints,
                about: 0..0,
                found: Vec::new(),
                lists: Vec::new(),
            }
            .read();
        }
        hints
    }
}

struct Reader<'a> {
    compiled: &'a Compiled,
    hints: &'a mut Hints,
    /// The joins of events of other kinds with what the rule is about.
    about: Range<usize>,
    /// Variables of loops over lists that the condition or a setting says.
    lists: Vec<(usize, Vec<Value>)>,
    /// By the number of the look-up: the joins with what it finds.
    found: Vec<Range<usize>>,
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        let first = self.hints.joins.len();
        self.about();
        self.about = first..self.hints.joins.len();
        for finder in &self.compiled.find {
            let first = self.hints.joins.len();
            match &finder.by {
                FindBy::Id(node) => {
                    let mut ways = Vec::new();
                    branches(node, &mut Vec::new(), &mut ways);
                    for (node, _) in ways {
                        self.finds(&finder.kind, &[("", node)]);
                    }
                }
                FindBy::Where(fields) | FindBy::Count(fields) => {
                    let fields: Vec<(&str, &Node)> =
                        fields.iter().map(|(path, node)| (&**path, node)).collect();
                    self.finds(&finder.kind, &fields);
                }
            }
            self.found.push(first..self.hints.joins.len());
        }
        if let Some((list, _)) = &self.compiled.each {
            self.walk(list);
        }
        if let Some(when) = self.compiled.when.whole() {
            self.walk(when);
        }
        let Does::Judge(shape, _) = &self.compiled.does else {
            return;
        };
        for node in shape.conditions() {
            self.walk(node);
        }
        if let Shape::Reference(reference) = shape.as_ref() {
            let pair = (Place::Field(reference.field.text().to_string()), Place::Id);
            let (owner, kind) = (self.compiled.owner.clone(), reference.kind.clone());
            self.join(owner, kind, vec![pair], Vec::new(), Vec::new());
        }
    }

    /// How an event of another kind names the entities that the rule is about.
    fn about(&mut self) {
        let node = match &self.compiled.whom {
            None => return,
            Some(Whom::Where(finder)) => return self.about_found(finder),
            Some(Whom::Id(node)) => node,
        };
        let mut named = Vec::new();
        branches(node, &mut Vec::new(), &mut named);
        for (node, conditions) in named {
            let Some((Whose::Event, place @ Place::Field(_))) = place(node) else {
                continue;
            };
            let mut says = Vec::new();
            for condition in conditions {
                if let Some((Whose::Event, Place::Field(name), Value::String(text))) =
                    compared(condition)
                {
                    says.push((name, text));
                }
            }
            self.join_others(&[(place, Place::Id)], &says);
        }
    }

    /// How events of other kinds say the same as the entities that the rule is about.
    fn about_found(&mut self, finder: &'a Finder) {
        let FindBy::Where(fields) = &finder.by else {
            return;
        };
        let pairs: Vec<(Place, Place)> = fields
            .iter()
            .filter_map(|(path, node)| Some((place(node)?.1, Place::Field(path.to_string()))))
            .collect();
        if !pairs.is_empty() {
            self.join_others(&pairs, &[]);
        }
    }

    /// Joins what events of other kinds say with the rule's own kind.
    fn join_others(&mut self, pairs: &[(Place, Place)], says: &[(String, String)]) {
        for kind in self.others() {
            let owner = self.compiled.owner.clone();
            self.join(kind, owner, pairs.to_vec(), says.to_vec(), Vec::new());
        }
    }

    /// The kinds other than its own whose events a rule listens to.
    fn others(&self) -> BTreeSet<KindName> {
        let kinds = self.compiled.on.iter().filter_map(|on| match on {
            On::Type(kind, _) => Some(kind.clone()),
            On::Any | On::Verb(_) => None,
        });
        kinds.filter(|kind| *kind != self.compiled.owner).collect()
    }

    /// The kinds that a place belongs to.
    fn kinds(&self, whose: Whose) -> Vec<KindName> {
        let owner = || vec![self.compiled.owner.clone()];
        match whose {
            Whose::Entity | Whose::Before if self.compiled.whom.is_some() => owner(),
            Whose::Event | Whose::Entity | Whose::Before => {
                let mut kinds: Vec<KindName> = self.others().into_iter().collect();
                let own = self.compiled.on.iter().any(|on| match on {
                    On::Type(kind, _) => *kind == self.compiled.owner,
                    On::Any | On::Verb(_) => true,
                });
                kinds.extend(own.then(|| self.compiled.owner.clone()));
                kinds
            }
            Whose::Found => self
                .compiled
                .find
                .iter()
                .map(|find| find.kind.clone())
                .collect(),
        }
    }

    fn finds(&mut self, kind: &KindName, fields: &[(&str, &'a Node)]) {
        let mut pairs: Vec<(Whose, Place, Place)> = Vec::new();
        let mut says = Vec::new();
        for (path, node) in fields {
            let theirs = match *path {
                "" | "id" => Place::Id,
                path => Place::Field(path.to_owned()),
            };
            match place(node) {
                Some((Whose::Found, _)) => return,
                Some((whose, mine)) => pairs.push((whose, mine, theirs)),
                None => {
                    if let (Some(Value::String(text)), Place::Field(path)) =
                        (constant(node), theirs)
                    {
                        says.push((path, text));
                    }
                }
            }
            self.walk(node);
        }
        if pairs.is_empty() {
            return;
        }
        let of_event = pairs.iter().any(|(whose, ..)| *whose == Whose::Event);
        let whose = if of_event {
            Whose::Event
        } else {
            Whose::Entity
        };
        for one in self.kinds(whose) {
            let pairs = pairs
                .iter()
                .map(|(_, mine, theirs)| (mine.clone(), theirs.clone()));
            self.join(one, kind.clone(), pairs.collect(), Vec::new(), says.clone());
        }
    }

    fn join(
        &mut self,
        one: KindName,
        other: KindName,
        pairs: Vec<(Place, Place)>,
        one_says: Vec<(String, String)>,
        other_says: Vec<(String, String)>,
    ) {
        let compiled = self.compiled;
        let named = compiled
            .rule
            .as_ref()
            .map_or_else(Default::default, |rule| {
                (rule.id.clone(), rule.part.clone())
            });
        self.hints.joins.push(Join {
            rule: (compiled.owner.clone(), named.0, named.1),
            one,
            other,
            pairs,
            one_says,
            other_says,
        });
    }

    fn word(&mut self, whose: Whose, place: &Place, value: &Value) {
        for kind in self.kinds(whose) {
            let place = place.clone();
            let value = value.clone();
            let word = Word { kind, place, value };
            if !self.hints.words.contains(&word) {
                self.hints.words.push(word);
            }
        }
    }

    /// What the entity says of its fields wherever the rule is demanded.
    fn says(&self) -> Vec<(String, Value)> {
        let all = match self.compiled.when.whole() {
            Some(Node::And(all)) => all.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let compared = all.iter().filter_map(compared);
        compared
            .filter_map(|(whose, place, value)| match (whose, place) {
                (Whose::Entity | Whose::Event, Place::Field(name)) if name != "status" => {
                    Some((name, value))
                }
                _ => None,
            })
            .collect()
    }

    /// Goes through a condition for what is compared with what.
    fn walk(&mut self, node: &'a Node) {
        if let Some((whose, place, value)) = compared(node) {
            self.word(whose, &place, &value);
        }
        match node {
            Node::Binary(Operator::In, item, list) => {
                if let Some((whose, place)) = place(item) {
                    for value in constants(list) {
                        self.word(whose, &place, &value);
                    }
                }
                self.walk(item);
                self.walk(list);
            }
            Node::Binary(_, one, other) | Node::Index(one, other) => {
                if matches!(node, Node::Binary(Operator::Equal, ..)) {
                    self.equal(one, other);
                    self.equal(other, one);
                    self.counted(one, other);
                    self.counted(other, one);
                }
                self.walk(one);
                self.walk(other);
            }
            Node::Matches(text, pattern) => {
                if let Some((whose, place)) = place(text) {
                    for kind in self.kinds(whose) {
                        let pattern = Pattern {
                            kind,
                            place: place.clone(),
                            text: pattern.as_str().to_owned(),
                            says: self.says(),
                        };
                        self.hints.patterns.push(pattern);
                    }
                }
            }
            Node::Not(one) | Node::Minus(one) | Node::Time(one) | Node::Member(one, _) => {
                self.walk(one);
            }
            Node::And(all) | Node::Or(all) | Node::List(all) | Node::Call(_, all) => {
                for one in all {
                    self.walk(one);
                }
            }
            Node::If(when, then, otherwise) => {
                for one in [when, then, otherwise] {
                    self.walk(one);
                }
            }
            Node::Loop {
                over,
                body,
                variable,
                ..
            } => {
                // All of one list are in the other: then both lists are the same, mostly.
                if let Node::Binary(Operator::In, item, list) = body.as_ref()
                    && matches!(item.as_ref(), Node::Root(Root::Variable(_)))
                {
                    self.equal(over, list);
                    self.equal(list, over);
                }
                self.walk(over);
                self.lists.push((*variable, constants(over)));
                self.walk(body);
                self.lists.pop();
            }
            Node::Constant(_) | Node::Root(_) | Node::OfEntity(..) | Node::OfEvent(_) => {}
        }
    }
}

impl Reader<'_> {
    /// A place equals another one.
    fn equal(&mut self, one: &Node, other: &Node) {
        let Some((whose, mine)) = place(one) else {
            return;
        };
        if let Node::Root(Root::Variable(variable)) = other {
            let mut lists = self.lists.iter();
            let list = lists.find(|(of, _)| of == variable);
            for value in list.map_or_else(Vec::new, |(_, list)| list.clone()) {
                self.word(whose, &mine, &value);
            }
            return;
        }
        if let Some(number) = found(other)
            && let Some((Whose::Found, theirs)) = place(other)
            && matches!(whose, Whose::Event | Whose::Entity)
        {
            let joins = self.found.get(number).cloned().unwrap_or_default();
            self.pair(joins, &mine, &theirs);
            return;
        }
        match (whose, mine, place(other)) {
            (Whose::Event | Whose::Entity, Place::Field(field), Some((Whose::Before, place))) => {
                for kind in self.kinds(whose) {
                    self.hints.same.push((kind, field.clone(), place.clone()));
                }
            }
            (Whose::Event, mine, Some((Whose::Entity, theirs))) => {
                self.pair(self.about.clone(), &mine, &theirs);
            }
            _ => {}
        }
    }

    /// The rule wants one entity that is looked up, and no second one.
    fn counted(&mut self, one: &Node, other: &Node) {
        let Node::Root(Root::Found(number)) = one else {
            return;
        };
        let finder = self.compiled.find.get(*number);
        let Some((kind, FindBy::Count(fields))) = finder.map(|one| (&one.kind, &one.by)) else {
            return;
        };
        if let [(field, node)] = fields.as_slice()
            && place(node).is_some()
            && constant(other) == Some(Value::from(1))
        {
            self.hints.alone.push((kind.clone(), field.to_string()));
        }
    }

    fn pair(&mut self, joins: Range<usize>, mine: &Place, theirs: &Place) {
        for join in self.hints.joins.get_mut(joins).into_iter().flatten() {
            let pair = (mine.clone(), theirs.clone());
            if !join.pairs.contains(&pair) {
                join.pairs.push(pair);
            }
        }
    }
}
