// Package simulator is the systems of an example company: three plants that make
// regulated goods in batches, one cloud ERP, one quality system (QMS), and an MES
// and a WMS at each plant. They are there to be integrated: each keeps books of its
// own in files of its own, speaks HTTP with formats, numbers, units and codes of its
// own, and reports what happens to a hub as its client. None of them knows what the
// hub holds, and nothing of the hub is used to build them.
//
// Words:
//
//	act      one thing that one system does at one time of the day, by the script
//	day      all acts of a day, made of a seed alone: [Day]
//	books    what a system holds to be true, the fold of its journal: [Books]
//	journal  the file of a system, a line for each change, synced before it counts
//	message  what a system sends to the hub because of a change; it stands in the
//	         same line as the change, so that neither is there without the other
//	posting  a change of the ERP's books with a document number
//	fault    something that goes wrong with the ERP on purpose, drawn from the seed
//	         and counted in its journal when it really went wrong
package simulator
