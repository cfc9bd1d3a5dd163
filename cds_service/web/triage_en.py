"""Fixed words of the triage pages in English; `triage_es` has the same keys.

What is said of a patient is the card's wording (`hooks.wording_en`), never words of its own.
"""

ENGLISH: dict[str, str] = {
    "title": "Triage",
    "lead": "Enter what was measured just now. No name, no record number.",
    "case": "Case number",
    "case.hint": "Write it on the patient’s paper: the case is found again by it, and by nothing "
    "else.",
    "case.again": "The same case, measured again.",
    "case.next": "Another patient: begin a new case",
    "held.before": "The answer will not be shown: {reason}. What you enter is kept all the same.",
    "simulated": "The model in use was trained on simulated patients: for trying out, not for "
    "care.",
    "not_ready": "No model is in use at the moment, so nothing can be assessed.",
    # The form.
    "person": "Person",
    "readings": "Readings",
    "readings.hint": "A category needs the age and two of heart rate, temperature and blood "
    "pressure. Leave empty what was not measured.",
    "more": "If known",
    "age": "Age in years",
    "birth_date": "or born (year-month-day)",
    "birth_date.form": "1957-04-02",
    "sex": "Sex",
    "sex.choose": "Choose",
    "sex.female": "Female",
    "sex.male": "Male",
    "sex.other": "Other",
    "sex.unknown": "Not known",
    "pregnant": "Known to be pregnant",
    "pregnant.hint": "The model and NEWS2 were not made for pregnancy.",
    "temperature_unit": "Unit of the temperature",
    "optional": "optional",
    "abo_group.none": "Not known",
    "unit./min": "/min",
    "unit.Cel": "°C",
    "unit.[degF]": "°F",
    "unit.mm[Hg]": "mmHg",
    "unit.%": "%",
    "unit.d/wk": "days a week",
    "unit.a": "years",
    "submit": "Assess",
    "wait": "Assessing …",
    "away": "The service did not answer. What you entered is still here: try again.",
    "renewed": "Not sent yet: you had signed in anew meanwhile. Press the button again.",
    # Where the session was over before it was sent.
    "kept": "You were signed out",
    "kept.lead": "What you had entered was not assessed, and is not stored.",
    "kept.sealed": "It is kept in this page, encrypted. For {minutes} minutes whoever entered it "
    "can open it here again: sign in in the new tab, then come back to this one.",
    "kept.sign_in": "Sign in (in a new tab)",
    "kept.back": "I have signed in: back to the form",
    "kept.nobody": "Nobody is signed in yet.",
    "kept.is_back": "This is what you had entered by {at}; it is not assessed yet. Readings count "
    "as taken now: measure again what may have changed, then assess.",
    "kept.gone": "What was kept cannot be opened: somebody else entered it, or it is too old. "
    "Please enter it anew.",
    "signed_in": "You are signed in",
    "signed_in.lead": "What you had entered is in the other tab: go back to it. This one can be "
    "closed.",
    "signed_in.new": "Or begin a new case here",
    # What is wrong with a field.
    "errors": "Please check what was entered",
    "wrong.required": "Enter the age in years or the date of birth.",
    "wrong.one_of_two": "Enter the age or the date of birth, not both.",
    "wrong.not_whole": "Enter the age in whole years, such as 68.",
    "wrong.not_a_date": "Enter the date of birth as year-month-day, such as 1957-04-02.",
    "wrong.future": "The date of birth lies in the future.",
    "wrong.choose": "Choose one.",
    "wrong.not_a_number": "Enter a number, such as 37.5.",
    "wrong.impossible": "Not possible: it must lie between {low} and {high} {unit}. Measure again.",
    "wrong.extreme": "An extreme value. Measure again; if it is right, say so below.",
    "wrong.both": "Enter both pressures, or neither.",
    "wrong.not_higher": "The systolic pressure must be higher than the diastolic. Measure again.",
    "wrong.no_readings": "Enter at least one reading.",
    "wrong.another_person": "This case was of another age or sex so far. For another patient begin "
    "a new case; if it is the same person, say so below.",
    "again": "I have measured again: it is right",
    "again.age": "I have checked: it is right",
    # The result.
    "result": "Result",
    "result.at": "Assessed at {at}",
    "reasons.more": "What moved the prediction; not what made the patient ill.",
    "used": "Readings used",
    "explanation": "How this was estimated",
    "print": "Print",
    "next": "Next patient",
    "measure_again": "Measure this case again",
    "others": "Other measurements of this case",
    # What people say of it.
    "feedback": "This was wrong",
    "feedback.lead": "What would you have said? It is kept beside the answer; nobody’s treatment "
    "changes by it.",
    "feedback.reason": "Reason",
    "feedback.comment": "Comment",
    "feedback.comment.hint": "No names.",
    "feedback.submit": "Send",
    "feedback.needed": "Choose a reason or write a comment.",
    "told.feedback": "Thank you: what you said is kept.",
    "outcome": "What it turned out to be",
    "outcome.lead": "Once it is known. The confirmed category is kept with your name as the "
    "outcome of this case, and the model is measured by it.",
    "outcome.undetermined": "It cannot be told",
    "outcome.submit": "Confirm",
    "outcome.needed": "Choose what it turned out to be.",
    "outcome.is": "Confirmed: {category}, by {by} on {at}. A later answer replaces it.",
    "told.outcome": "The confirmed category is kept.",
    # Finding a case.
    "find": "Find a case",
    "find.lead": "By its case number, such as K7M4-9QXE.",
    "find.submit": "Find",
    "find.wrong": "This is no case number. Check every sign: there is no I, L, O, U or 0.",
    "find.none": "There is no case with this number.",
    # The data-use policy.
    "policy": "How these data are used",
    "policy.version": "Version {version} of {date}",
    "policy.lead": "Please read this once before you enter readings. You are asked again when it "
    "changes.",
    "policy.agree": "I have read this, and I use the page accordingly",
    "policy.submit": "Go on",
    "policy.needed": "Tick the box to go on.",
    "policy.agreed": "You agreed to this version on {at}.",
    "policy.link": "How these data are used",
}

POLICY: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "What this page is for",
        (
            "It estimates how severe a patient’s vital signs look, for people who care for that "
            "patient. It is decision support, not a diagnosis; you decide.",
            "Use it for patients in your care, or for trying out with invented readings where it "
            "says that its model is simulated.",
        ),
    ),
    (
        "What is kept",
        (
            "Age, sex, the readings, whether a pregnancy is known, what was estimated, and what "
            "you later say of it. A date of birth is turned into an age and not kept.",
            "No name and no record number are asked for. A local case number takes their place: "
            "it is stored encrypted, and beside it a keyed hash by which it is found. Write no "
            "name into comments.",
            "Who entered, read or found what, and when, is written to an audit trail with your "
            "name.",
        ),
    ),
    (
        "What it is used for",
        (
            "For the answer you get; for measuring how good the model is, once what the case "
            "turned out to be is known; and for training a better model only if whoever runs this "
            "service has allowed that for this page.",
            "Nothing leaves this service but what its operators export for these purposes.",
        ),
    ),
    (
        "How long, and whose rights",
        (
            "Whoever runs this service decides how long it is kept, and answers patients who ask "
            "to see or erase what is kept of them. The case number on their paper is what it is "
            "found by.",
        ),
    ),
)
