# Completion of qwen for fish.
function __qwen_tui_complete
    set -l given (commandline -opc)
    set -l program $given[1]
    set -e given[1]
    set -a given (commandline -ct)
    set -l joined (string join -- \x1f $given)
    set -l lines (env _QWEN_TUI_COMPLETE=fish "_QWEN_TUI_WORDS=$joined" $program 2>/dev/null)
    if test "$lines" = :files
        __fish_complete_path (commandline -ct)
        return
    end
    string join \n -- $lines
end
complete -c qwen -f -a '(__qwen_tui_complete)'
complete -c qwen-tui -f -a '(__qwen_tui_complete)'
