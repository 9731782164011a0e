"""What an analyst writes in an afternoon: requests, pandas, jdatetime and phonenumbers, value by value.

It asks for the groups and lists each, cleans what `contacts` cleans, and writes the same columns to Parquet. It
proves nothing, tells no issues, and if it is stopped half-way the old file is gone.

    python -m benchmarks.scripts.pandas_script URL TOKEN FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jdatetime
import pandas as pd
import phonenumbers
import requests

DATES = {
    "BornDate": "birth_date",
    "AnniversaryDate": "anniversary_date",
    **{f"CustomDate{n}": f"custom_date_{n}" for n in range(1, 4)},
}
TEXTS = {
    "FName": "first_name",
    "LName": "last_name",
    "CompanyTitle": "company",
    "JobTitle": "job_title",
    "Email": "email",
    "CityName": "city",
    "AddressText": "address",
    **{f"CustomText{n}": f"custom_text_{n}" for n in range(1, 7)},
}


def ask(url: str, token: str, method: str, **form: int) -> list[dict[str, Any]]:
    """Call one method of the portal."""
    answer = requests.post(f"{url}/{method}", data=form, headers={"Authorization": token}, timeout=600)
    answer.raise_for_status()
    body = answer.json()
    if body["Status"] != "Success":
        raise SystemExit(body["Status"])
    data: list[dict[str, Any]] = body["Data"]
    return data


def mobile(value: Any) -> str | None:
    """Give a number as E.164."""
    if value is None or pd.isna(value):
        return None
    try:
        number = phonenumbers.parse(str(int(value)), "IR")
    except (ValueError, phonenumbers.NumberParseException):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def text(value: Any) -> str | None:
    """Give a text with Persian letters and without blanks around it."""
    if value is None or pd.isna(value):
        return None
    return " ".join(value.replace("ي", "ی").replace("ك", "ک").split()) or None


def jalali(day: Any) -> str | None:
    """Give a day's Jalali date."""
    return None if pd.isna(day) else jdatetime.date.fromgregorian(date=day).strftime("%Y/%m/%d")


def main(url: str, token: str, folder: str) -> None:
    """Pull, clean, write."""
    records: dict[int, dict[str, Any]] = {}
    titles: dict[int, list[str]] = {}
    for group in ask(url, token, "ContactGroupList"):
        for record in ask(url, token, "ContactList", ContactGroupID=group["ContactGroupID"]):
            records[record["ID"]] = record
            titles.setdefault(record["ID"], []).append(group["Title"])
    for record in ask(url, token, "ContactList", ContactGroupID=-1):
        records[record["ID"]] = record

    raw = pd.DataFrame(records.values())
    clean = pd.DataFrame({"contact_id": raw["ID"], "active": raw["Active"], "deleted": raw["Deleted"]})
    clean["mobile"] = raw["Mobile"].map(mobile)
    for field, column in TEXTS.items():
        clean[column] = raw[field].map(text)
    clean["full_name"] = (clean["first_name"].fillna("") + " " + clean["last_name"].fillna("")).str.strip()
    clean["gender"] = raw["GenderType"].map({True: "male", False: "female"})
    for field, column in DATES.items():
        days = pd.to_datetime(raw[field]).dt.date
        clean[column] = days
        clean[f"{column}_jalali"] = days.map(jalali)
    stamps = pd.to_datetime(raw["UpdateDateTime"], format="ISO8601")
    clean["updated_at"] = stamps.dt.tz_localize("Asia/Tehran", ambiguous=True, nonexistent="shift_forward")
    clean["updated_date"] = stamps.dt.date
    clean["updated_date_jalali"] = clean["updated_date"].map(jalali)
    clean["groups"] = raw["ID"].map(lambda contact: " | ".join(titles.get(contact, [])))
    clean.to_parquet(Path(folder) / "contacts.parquet", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
