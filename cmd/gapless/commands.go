package main

import "github.com/spf13/cobra"

// A group is commands that belong together in the help.
type group struct {
	title    string
	commands []*cobra.Command
}

// groups are all commands, in the order of the help.
func (c *cli) groups() []group {
	return []group{
		{"See it work:", []*cobra.Command{c.demoCommand(), c.simulateCommand()}},
		{"Send and ask:", []*cobra.Command{c.sendCommand(), c.journalCommand(), c.traceCommand(), c.reportCommand(), c.heldCommand(), c.exceptionsCommand(), c.replayCommand(), c.alertsCommand()}},
		{"Agree and run:", []*cobra.Command{c.catalogCommand(), c.keysCommand(), c.serveCommand(), c.verifyCommand()}},
		{"About:", []*cobra.Command{c.docsCommand(), c.versionCommand()}},
	}
}

func (c *cli) addCommands(root *cobra.Command) {
	for _, g := range c.groups() {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, cmd := range g.commands {
			cmd.GroupID = g.title
			root.AddCommand(cmd)
		}
	}
	root.SetHelpCommandGroupID("About:")
}
