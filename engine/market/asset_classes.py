"""The kind of a cash-market security, for charges and taxes: share, fund unit or bond.

The ISIN tells a fund (INF...) and a government's or a company's bond; without one, the exchange's
own class does. The holdings of a fund show in its name alone: gold, silver and foreign shares, or
debt; otherwise it is taken for an equity fund.
"""

import re
from enum import StrEnum
from functools import cache


class AssetClass(StrEnum):
    """A kind of security that is charged and taxed in its own way.

    `OTHER_FUND` holds gold, silver or foreign shares.
    """

    SHARE = "share"
    EQUITY_FUND = "equity fund"
    OTHER_FUND = "other fund"
    DEBT_FUND = "debt fund"
    BOND = "bond"


_KNOWN = re.compile(
    r"MON100|MAFANG|MASPTOP50|MAHKTECH|MONQ50|MOM100|GOLDSHARE|HDFCGOLD|AXISGOLD|QGOLDHALF|"
    r"GOLD1|EGOLD|TATAGOLD|LICMFGOLD|IVZINGOLD|GOLDCASE|GOLDADD|GOLDBETA|GOLDAXIS|GOLD360|"
    r"GROWWGOLD|BBNPPGOLD|UNIONGOLD|MOGOLD|SETFGOLD|SILVER|SILVER1|SILVERADD|SILVERAG|SILVERBETA|"
    r"SILVERAXIS|SILVERCASE|SILVER360|HDFCSILVER|ESILVER|TATSILV|SBISILVER|MOSILVER|GROWWSLVR|"
    r"LIQUID|LIQUID1|LIQUIDADD|LIQUIDCASE|LIQUIDSBI|LIQUIDSHRI|LIQUIDPLUS|HDFCLIQUID|ABSLLIQUID|"
    r"AONELIQUID|GROWWLIQID|SETFNIF50|SETFNIFBK|SETF10GILT|MOGSEC|ABGSEC|GSEC10YEAR|GSEC10ABSL|"
    r"GILT5BETA|GILT10BETA|ICICIB22|NIFTYADD|NIFTYCASE|MIDCAPCASE|TOP100CASE"
)
"""Funds whose symbol does not say that it is one.

General knowledge, for lists without names and ISINs.
"""

# (?<!J): JETFREIGHT is a share.
_FUND = re.compile(r"BEES$|(?<!J)ETF")
_FUND_NAME = re.compile(
    r"\bETF\b|EXCHANGE TRADED FUND|GOLD FUND|\bAXISAMC-|\bFUND\b.*\b(PLAN|GROWTH|DIRECT|IDCW)\b"
)
# NSE's series of gold bonds, government securities, state loans, treasury bills and listed debt.
_BOND = re.compile(r"-(GB|GS|SG|TB|N[0-9A-Z])$")
_DEBT = re.compile(
    r"LIQUI?D|LIQGRW|GILT|G-?SEC|\bSDL|SDL[0-9]|\bBOND|BBETF|OVERNIGHT|1D RATE|MONEY "
    r"MARKET|CASHIETF|DEBT|DURATION"
    r"|\bTERM\b|CREDIT RISK|CORPORATE|FLOATER|BANKING (AND|&) PSU"
)
_OTHER = re.compile(
    r"GOLD|SILV|SLVR|NASDAQ|NYSE|S&P 500|HANG "
    r"?SENG|HNGSNG|FANG|MON100|MONQ50|MASPTOP50|MAHKTECH|GLOBAL|OVERSEAS|WORLD"
)


@cache
def asset_of(symbol: str, name: str = "", isin: str = "") -> AssetClass:
    """Return the kind of a security.

    Its ISIN decides where there is one, else its symbol at the exchange and its name.
    """
    text = f"{symbol} {name}".upper()
    if isin.startswith("INF") or (not isin and _is_fund(symbol.upper(), name.upper())):
        return (
            AssetClass.OTHER_FUND
            if _OTHER.search(text)
            else AssetClass.DEBT_FUND
            if _DEBT.search(text)
            else AssetClass.EQUITY_FUND
        )
    if (
        _BOND.search(symbol.upper())
        or (isin.startswith("IN") and isin[2:3].isdigit())
        or isin[7:9] in {"07", "08"}
    ):
        return AssetClass.BOND
    return AssetClass.SHARE


def _is_fund(symbol: str, name: str) -> bool:
    if _FUND_NAME.search(name):
        return True
    # A dash begins a series, and a fund trades in the plain one.
    return "-" not in symbol and bool(_KNOWN.fullmatch(symbol) or _FUND.search(symbol))
