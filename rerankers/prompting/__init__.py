"""The text around a pair: templates, chat templates, prompts for tasks, lists."""
