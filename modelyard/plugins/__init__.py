"""The plugins that come with Modelyard, a folder each; they are found by their entry points, like everybody's."""
