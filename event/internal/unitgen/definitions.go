package main

// prefixes of the International System of Units, BIPM SI Brochure, 9th edition, table 7.
var prefixes = []struct {
	symbol   string
	exponent int
}{
	{"da", 1},
	{"E", 18},
	{"P", 15},
	{"T", 12},
	{"G", 9},
	{"M", 6},
	{"k", 3},
	{"h", 2},
	{"d", -1},
	{"c", -2},
	{"m", -3},
	{"µ", -6},
	{"n", -9},
	{"p", -12},
	{"f", -15},
	{"a", -18},
}

// takesPrefix are the units that a prefix may stand before.
var takesPrefix = set("m", "g", "s", "A", "K", "mol", "cd", "rad", "Hz", "N", "Pa", "J", "W", "C", "V", "F", "Ω", "S", "Wb", "T", "H",
	"lm", "lx", "Bq", "Gy", "Sv", "l", "bar", "P", "St", "Gal", "Ci", "R", "bit", "byte", "calIT", "calth", "Bd")

// coherent are the SI units with a name of their own. A dimension is written
// with them as the recommendation does, so that a torque (N·m) stays apart from
// an energy (J) and a frequency (Hz) from an activity (Bq).
var coherent = set("Hz", "N", "Pa", "J", "W", "C", "V", "F", "Ω", "S", "Wb", "T", "H", "lm", "lx", "Gy", "Sv", "kat")

// units are the symbols understood in factors, in symbols and in definitions.
// An empty definition is a base. Every other one is exact: SI Brochure, 9th
// edition; the yard and pound agreement of 1959 (0.9144 m and 0.45359237 kg);
// NIST SP 811, appendix B, for the US measures; the UK Units of Measurement
// Regulations 1995 for the imperial gallon; ISO 80000-5 for the two calories,
// from which the two British thermal units follow.
var units = map[string]string{
	"m": "", "kg": "", "s": "", "A": "", "K": "", "mol": "", "cd": "", "rad": "", "sr": "", "piece": "",
	"bit": "", "Bq": "", "Np": "", "B": "", "E": "", "nat": "", "Sh": "", "Hart": "", "dec": "", "Bd": "",
	"g": "0.001 kg", "t": "1000 kg", "kt": "1000 t", "Mt": "1000000 t", "l": "0.001 m³", "L": "l", "a": "100 m²", "ha": "100 a",
	"min": "60 s", "h": "60 min", "d": "24 h", "wk": "7 d", "y": "365.25 d", "mo": "y/12", "r": "1", "rev": "1",
	"Hz": "1/s", "N": "kg m/s²", "Pa": "N/m²", "J": "N m", "W": "J/s", "C": "A s", "V": "W/A", "F": "C/V", "Ω": "V/A", "S": "A/V", "var": "V A",
	"Wb": "V s", "T": "Wb/m²", "H": "Wb/A", "lm": "cd sr", "lx": "lm/m²", "Gy": "J/kg", "Sv": "J/kg", "kat": "mol/s",
	"°C": "K", "°F": "5/9 K", "°R": "5/9 K", "%": "0.01", "‰": "0.001", "byte": "8 bit",
	"bar": "100000 Pa", "atm": "101325 Pa", "Atm": "atm", "Torr": "101325/760 Pa", "at": "kgf/(0.01 m)²", "hbar": "100 bar",
	"gn": "9.80665 m/s²", "kgf": "9.80665 N", "kp": "kgf", "gf": "0.001 kgf", "p": "gf", "lbf": "lb gn", "ozf": "lbf/16", "klbf": "1000 lbf", "kip": "klbf",
	"pdl": "lb ft/s²", "slug": "lbf s²/ft", "dyn": "0.00001 N", "erg": "0.0000001 J", "Gal": "0.01 m/s²", "P": "0.1 Pa s", "St": "0.0001 m²/s",
	"psi": "lbf/in²", "ksi": "kip/in²", "mm H₂O": "9.80665 Pa", "cm H₂O": "10 mm H₂O", "mH₂O": "1000 mm H₂O", "inH₂O": "25.4 mm H₂O", "ft H₂O": "304.8 mm H₂O",
	"mm Hg": "13.5951 mm H₂O", "cm Hg": "10 mm Hg", "inHg": "25.4 mm Hg", "ft Hg": "304.8 mm Hg",
	"PS": "75 kgf m/s", "CV": "PS", "metric hp": "PS", "electric hp": "746 W", "calIT": "4.1868 J", "calth": "4.184 J", "BtuIT": "calIT lb °F/(g K)", "Btuth": "calth lb °F/(g K)",
	"quad": "1000000000000000 BtuIT", "Ci": "37000000000 Bq", "R": "0.000258 C/kg", "rem": "0.01 Sv", "b": "0.0000000000000000000000000001 m²", "Å": "0.0000000001 m",
	"in": "0.0254 m", "mil": "0.001 in", "µin": "0.000001 in", "ft": "12 in", "yd": "3 ft", "mi": "1760 yd", "mile": "mi", "fth": "6 ft", "n mile": "1852 m", "kn": "n mile/h", "ch (UK)": "66 ft", "acre": "43560 (survey foot)²",
	"lb": "0.45359237 kg", "klb": "1000 lb", "oz": "lb/16", "gr": "lb/7000", "tr oz": "480 gr", "st": "14 lb", "Qr (UK)": "28 lb", "cwt (US)": "100 lb", "cwt (UK)": "112 lb", "ton (US)": "2000 lb", "ton (UK)": "2240 lb", "lbmol": "453.59237 mol",
	"gal (US)": "231 in³", "gal (US liq.)": "gal (US)", "qt (US liq.)": "gal (US)/4", "liq qt (US)": "qt (US liq.)", "qt (US)": "qt (US liq.)",
	"pt (US liq.)": "gal (US)/8", "liq pt (US)": "pt (US liq.)", "pt (US)": "pt (US liq.)", "gi (US)": "gal (US)/32", "cup (US)": "gal (US)/16", "fl oz (US)": "gal (US)/128",
	"tablespoon (US)": "fl oz (US)/2", "teaspoon (US)": "fl oz (US)/6", "barrel (US)": "42 gal (US)", "bbl (US)": "42 gal (US)",
	"bu (US dry)": "2150.42 in³", "bu (US)": "bu (US dry)", "pk (US dry)": "bu (US dry)/4", "pk (US)": "pk (US dry)", "dry gal (US)": "bu (US dry)/8", "dry qt (US)": "bu (US dry)/32", "dry pt (US)": "bu (US dry)/64", "qt (US dry)": "dry qt (US)", "pt (US dry)": "dry pt (US)", "survey foot": "1200/3937 m",
	"gal (UK)": "4.54609 l", "qt (UK)": "gal (UK)/4", "qt (UK liq.)": "qt (UK)", "pt (UK)": "gal (UK)/8", "gi (UK)": "gal (UK)/32", "fl oz (UK)": "gal (UK)/160", "pk (UK)": "2 gal (UK)", "bu (UK)": "8 gal (UK)", "bushel (UK)": "bu (UK)", "bbl (UK liq.)": "35 gal (UK)",
	"cord": "128 ft³", "RT": "100 ft³", "std": "165 ft³", "pfd": "0.5 kg",
}

// A definition supplies the factor of a code whose published row gives none
// that is exact. It is held against the published factor all the same, unless
// corrects says why that is wrong.
type definition struct {
	expression string
	corrects   string
}

var definitions = map[string]definition{
	// Counted things. The recommendation gives them no factor, or a pure number;
	// what each counts is in its description: single items, whatever their name.
	// Not here: sets, packs, rolls, tablets: their content depends on the material.
	"H87": {expression: "1 piece"}, "EA": {expression: "1 piece"}, "C62": {expression: "1 piece"}, "NAR": {expression: "1 piece"}, "NPT": {expression: "1 piece"},
	"PR": {expression: "2 piece"}, "DZN": {expression: "12 piece"}, "DPC": {expression: "12 piece"}, "SCO": {expression: "20 piece"}, "TPR": {expression: "20 piece"},
	"DPR": {expression: "24 piece"}, "CEN": {expression: "100 piece"}, "HC": {expression: "100 piece"}, "GRO": {expression: "144 piece"}, "GGR": {expression: "1728 piece"},
	"MIL": {expression: "1000 piece"}, "T3": {expression: "1000 piece"}, "MIO": {expression: "10⁶ piece"}, "MLD": {expression: "10⁹ piece"}, "BIL": {expression: "10¹² piece"}, "TRL": {expression: "10¹⁸ piece"},

	// Units whose description defines them exactly while factor and symbol do not.
	"A47": {expression: "10⁻⁷ kg/m"}, "A49": {expression: "g/(9000 m)"}, "M83": {expression: "g/(9000 m)"},
	"FC": {expression: "1000 ft³"}, "HH": {expression: "100 ft³"}, "FF": {expression: "100 m³"}, "HMQ": {expression: "10⁶ m³"}, "TI": {expression: "1000 in²"},
	"56": {expression: "100 m²"}, "WG": {expression: "231 in³"}, "B4": {expression: "36 gal (UK)"}, "NT": {expression: "2000 lb"},
	"DAD": {expression: "10 d"}, "M36": {expression: "30 d"}, "M37": {expression: "360 d"}, "L95": {expression: "365 d"}, "H11": {expression: "1/mo"},
	"BLD": {expression: "7056 in³"}, "CNT": {expression: "100 lb"}, "LBT": {expression: "12 tr oz"}, "DRA": {expression: "60 gr"}, "DRM": {expression: "60 gr"}, "M85": {expression: "175/6 g"}, "DWT": {expression: "24 gr"}, "CTM": {expression: "0.2 g"},
	"BPM": {expression: "1/min"}, "OPM": {expression: "1/min"}, "G50": {expression: "gal (US)/h"}, "M50": {expression: "660 ft"}, "H80": {expression: "1.75 in"}, "E33": {expression: "0.001 ft"}, "MIK": {expression: "mi²"},
	"M51": {expression: "survey foot"}, "M52": {expression: "5280 survey foot"}, "M49": {expression: "66 survey foot"}, "F49": {expression: "16.5 survey foot"}, "M48": {expression: "(5280 survey foot)²"}, "M67": {expression: "43560 (survey foot)³"},
	"L84": {expression: "42 ft³"}, "L86": {expression: "40 ft³"}, "L92": {expression: "ton (UK)/yd³"}, "L93": {expression: "ton (US)/yd³"}, "L94": {expression: "2000 lbf"}, "WCD": {expression: "cord"},
	"N71": {expression: "105506000 J"}, "N72": {expression: "105480400 J"}, "H79": {expression: "0.001/3 m"}, "H82": {expression: "in/72"}, "FIT": {expression: "1/(1000000000 h)"},

	// Units whose symbol is that of another unit: gigasecond, radian, stone, cubic kilometre.
	"76": {expression: "0.0001 T"}, "C80": {expression: "0.01 Gy"}, "G26": {expression: "m³"}, "TQD": {expression: "1000 m³/d"},
	"Q37": {expression: "m³/d"}, "Q39": {expression: "m³/d"}, "Q38": {expression: "m³/h"}, "Q40": {expression: "m³/h"},
	"A99": {expression: "bit"}, "AD": {expression: "8 bit"}, "Q12": {expression: "8 bit"}, "Q13": {expression: "8 bit/s"}, "B10": {expression: "bit/s"},

	// Published numbers that are wrong.
	"APZ": {"480 gr", "the published exponent is -3; 480 grains are 31.1 g"},
	"C94": {"1/min", "published in seconds instead of per second"},
	"KNM": {"1000 Pa", "the published exponent lost its superscript"},
	"NPR": {"2 piece", "the published text only refers to the pair"},
	"BQL": {"Bq", "published as a rounded part of a curie, which is itself defined by the becquerel"},
}

// scales are the units whose zero is not the zero of their dimension: what one
// adds in base units. ITS-90: 0 °C is 273.15 K; 0 °F is (459.67 × 5/9) K.
var scales = map[string]string{"CEL": "27315/100", "FAH": "45967/180"}

// A dimension has a name and a base unit. Dimensions not listed are named by
// their expression; their base is the first active code whose factor is 1.
var dimensions = map[string]struct{ name, base string }{
	"piece": {"count", "H87"}, "": {"ratio", "Q26"}, "kg": {"mass", "KGM"}, "m": {"length", "MTR"}, "m²": {"area", "MTK"}, "m³": {"volume", "MTQ"},
	"s": {"time", "SEC"}, "K": {"temperature", "KEL"}, "mol": {"amount of substance", "C34"}, "A": {"electric current", "AMP"}, "cd": {"luminous intensity", "CDL"},
	"J": {"energy", "JOU"}, "W": {"power", "WTT"}, "N": {"force", "NEW"}, "Pa": {"pressure", "PAL"}, "V": {"voltage", "VLT"}, "C": {"electric charge", "COU"},
	"Hz": {"frequency", "HTZ"}, "N·m": {"torque", "NU"}, "rad": {"angle", "C81"}, "m·s⁻¹": {"speed", "MTS"}, "m·s⁻²": {"acceleration", "MSK"},
	"kg·m⁻³": {"density", "KMQ"}, "m³·s⁻¹": {"volume flow", "MQS"}, "kg·s⁻¹": {"mass flow", "KGS"}, "Pa·s": {"dynamic viscosity", "C65"}, "m²·s⁻¹": {"kinematic viscosity", "S4"},
	"Ω": {"electric resistance", "OHM"}, "F": {"capacitance", "FAR"}, "H": {"inductance", "81"}, "S": {"electric conductance", "SIE"}, "Wb": {"magnetic flux", "WEB"}, "T": {"magnetic flux density", "D33"},
	"bit": {"information", "A99"}, "bit·s⁻¹": {"data rate", "B10"}, "kg·m⁻¹": {"linear density", "KL"}, "kg·m⁻²": {"area density", "28"}, "Bq": {"activity", "BQL"},
}

// sameAs are dimensions that the recommendation writes in two ways and that
// mean one thing. Only those that cannot be confused with another quantity.
var sameAs = map[string]string{
	"kg·m⁻¹·s⁻²": "Pa", "kg·m²·s⁻³": "W", "kg·m·s⁻²": "N", "A·s": "C", "N·m⁻²": "Pa", "A·V⁻¹": "S",
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
