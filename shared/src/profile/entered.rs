//! The declared fields of a body.

use serde_json::Value;

use super::{
    ProfileField, ProfileFields, Scalar,
    value::{Kind, entered},
};
use crate::http::{Complaint, Entered, Fields};

/// A field to be changed, with its value; `None` is null.
pub type Change = (ProfileField, Option<Scalar>);

/// The fields that are to change.
pub type Changes = [Change];

/// Which fields a request must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// At registration and in PUT: all required fields. In a form, a missing checkbox means that it is not ticked.
    Whole,
    /// In PATCH: any fields.
    Part,
}

impl ProfileFields {
    /// Reads the declared fields of a body. Complaints are collected, and the values must then not be used. Fields that only an operator writes are
    /// ignored.
    pub fn read(&self, fields: &mut Fields, asked: Asked) -> Vec<Change> {
        let mut changes = Vec::new();
        for field in self.iter().filter(|field| !field.by_operator) {
            match field.read(fields, asked) {
                Ok(change) => changes.extend(change),
                Err(complaints) => {
                    for complaint in complaints {
                        fields.complain(field.name, complaint);
                    }
                }
            }
        }
        changes
    }
}

impl ProfileField {
    /// The change in a body; `None` if there is none.
    fn read(&self, fields: &mut Fields, asked: Asked) -> Result<Option<Change>, Vec<Complaint>> {
        let to = |value| Ok(Some((self.clone(), value)));
        let is_form = fields.is_form();
        let entered = match fields.take_entered(self.name) {
            None if is_form && asked == Asked::Whole && matches!(self.kind, Kind::Bool) => return to(Some(Scalar::Truth(false))),
            None if self.required && asked == Asked::Whole => return Err(vec![Complaint::Required]),
            None => return Ok(None),
            Some(entered) => entered,
        };
        if is_form && matches!(&entered, Entered::Text(text) if text.is_empty()) {
            if self.may_be_null() {
                return to(None);
            }
            if !self.required && !self.may_be_blank() {
                return Ok(None);
            }
        }
        match entered {
            Entered::Null if self.may_be_null() => to(None),
            Entered::Null => Err(vec![Complaint::Null]),
            entered => to(Some(self.kind.read(&entered, self.may_be_blank())?)),
        }
    }

    /// Parses the value of this field from a text, for an operator.
    pub fn parse(&self, text: &str) -> Result<Scalar, Vec<Complaint>> {
        self.parse_json(&Value::from(text))
    }

    /// Parses the value of this field from JSON, for an operator.
    pub fn parse_json(&self, value: &Value) -> Result<Scalar, Vec<Complaint>> {
        self.kind.read(&entered(value), self.may_be_blank())
    }
}
