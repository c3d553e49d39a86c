# Completion of qwen for PowerShell.
Register-ArgumentCompleter -Native -CommandName qwen, qwen-tui -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = $commandAst.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursorPosition }
    $given = @($before | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    }) + $wordToComplete
    $encoding = [Console]::OutputEncoding
    try {
        [Console]::OutputEncoding = [System.Text.Encoding]::UTF8
        $env:_QWEN_TUI_COMPLETE = 'powershell'
        $env:_QWEN_TUI_WORDS = $given -join [char]31
        $lines = & $commandAst.CommandElements[0].Extent.Text 2>$null
    } finally {
        [Console]::OutputEncoding = $encoding
        Remove-Item Env:_QWEN_TUI_COMPLETE, Env:_QWEN_TUI_WORDS -ErrorAction SilentlyContinue
    }
    # Where nothing is offered, PowerShell offers files.
    $lines | Where-Object { $_ -and $_ -ne ':files' } | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        $quoted = if ($value -match '[\s''"]') { "'" + $value.Replace("'", "''") + "'" } else { $value }
        [System.Management.Automation.CompletionResult]::new($quoted, $value, 'ParameterValue', $(if ($help) { $help } else { $value }))
    }
}
